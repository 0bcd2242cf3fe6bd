// Winograd's transforms of tiles, for vectors of any element; included by the kernels of each instruction set.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels.hpp"

namespace quovadis {
namespace {

using std::int64_t;

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// An odd number of cache lines: what lies a power of two apart shares one set of the cache.
inline int64_t odd_lines(int64_t bytes) { return (ceil_div(bytes, 64) | 1) * 64; }

// Vectors of any alignment: a template's argument does not carry the attributes of a vector type.
template <class Vec>
inline Vec read(const void* p) {
  Vec value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
template <class Vec>
inline void write(void* p, const Vec& value) {
  std::memcpy(p, &value, sizeof value);
}

struct Tile {
  int64_t t, h, w;  // of its first output
};

// --- 3x3x3: F(4,3) along time and height, F(2,3) along width ----------------------------------------------------------

constexpr int POINTS_T = 6, POINTS_H = 6, POINTS_W = 4, POINTS_PLANE = POINTS_H * POINTS_W;
constexpr int POINTS = POINTS_T * POINTS_PLANE;
constexpr int TILE_T = 4, TILE_H = 4, TILE_W = 2, TILE_PLANE = TILE_H * TILE_W;

// F(4,3) of six vectors, `step` apart.
template <class Vec>
inline void transform_six(Vec* d, int step) {
  using Value = std::decay_t<decltype(Vec{}[0])>;
  constexpr Value TWO = 2, FOUR = 4, FIVE = 5;
  const Vec x0 = d[0], x1 = d[step], x2 = d[2 * step], x3 = d[3 * step], x4 = d[4 * step], x5 = d[5 * step];
  const Vec a = x4 - FOUR * x2, b = x3 - FOUR * x1, c = x4 - x2, e = TWO * (x3 - x1);
  d[0] = FOUR * x0 - FIVE * x2 + x4;
  d[step] = a + b;
  d[2 * step] = a - b;
  d[3 * step] = c + e;
  d[4 * step] = c - e;
  d[5 * step] = FOUR * x1 - FIVE * x3 + x5;
}

// F(2,3) of four vectors.
template <class Vec>
inline void transform_four(Vec* d) {
  const Vec x0 = d[0], x1 = d[1], x2 = d[2], x3 = d[3];
  d[0] = x2 - x0;
  d[1] = x1 + x2;
  d[2] = x2 - x1;
  d[3] = x3 - x1;
}

// The points of one tile; `load` takes a value's place counted from the first frame's first pixel.
template <class Vec, class Load>
inline void transform_tile(const View& x, Tile tile, const Load& load, Vec (&d)[POINTS]) {
  const int64_t t0 = tile.t - 1, h0 = tile.h - 1, w0 = tile.w - 1;
  const int64_t line = x.width * x.stride, frame = x.height * line;
  const int64_t corner = (t0 - x.first) * frame + h0 * line + w0 * x.stride;
  const bool inside = t0 >= x.first && t0 + POINTS_T <= x.end && h0 >= 0 && h0 + POINTS_H <= x.height && w0 >= 0 &&
                      w0 + POINTS_W <= x.width;
  for (int t = 0; t < POINTS_T; ++t) {
    Vec* plane = d + t * POINTS_PLANE;
    for (int h = 0; h < POINTS_H; ++h) {
      for (int w = 0; w < POINTS_W; ++w) {
        const bool exists = inside || (t0 + t >= x.first && t0 + t < x.end && h0 + h >= 0 && h0 + h < x.height &&
                                       w0 + w >= 0 && w0 + w < x.width);
        plane[h * POINTS_W + w] = exists ? load(corner + t * frame + h * line + w * x.stride) : Vec{};
      }
      transform_four(plane + h * POINTS_W);
    }
    for (int w = 0; w < POINTS_W; ++w) transform_six(plane + w, POINTS_W);
  }
  for (int p = 0; p < POINTS_PLANE; ++p) transform_six(d + p, POINTS_PLANE);
}

// Four outputs of F(4,3).
template <class Vec>
inline void outputs_of_six(Vec m0, Vec m1, Vec m2, Vec m3, Vec m4, Vec m5, Vec (&outputs)[4]) {
  const Vec sum12 = m1 + m2, difference12 = m1 - m2, sum34 = m3 + m4, difference34 = m3 - m4;
  outputs[0] = m0 + sum12 + sum34;
  outputs[1] = difference12 + 2.f * difference34;
  outputs[2] = sum12 + 4.f * sum34;
  outputs[3] = difference12 + 8.f * difference34 + m5;
}

// A plane's products brought back along height and width: `load` gives the product of a point of the plane, `store`
// takes an output's number and a value.
template <class Vec, class Load, class Store>
inline void transform_plane_back(const Load& load, const Store& store) {
  Vec rows[TILE_W][POINTS_H];
  for (int h = 0; h < POINTS_H; ++h) {
    const int p = h * POINTS_W;
    const Vec m0 = load(p), m1 = load(p + 1), m2 = load(p + 2), m3 = load(p + 3);
    rows[0][h] = m0 + m1 + m2;
    rows[1][h] = m1 - m2 + m3;
  }
  for (int w = 0; w < TILE_W; ++w) {
    const Vec(&m)[POINTS_H] = rows[w];
    Vec outputs[TILE_H];
    outputs_of_six(m[0], m[1], m[2], m[3], m[4], m[5], outputs);
    for (int h = 0; h < TILE_H; ++h) store(h * TILE_W + w, outputs[h]);
  }
}

// The outputs of one tile: `load` takes a plane and an output's number in it, `store` a place in `y` and a value.
template <class Vec, class Load, class Store>
inline void transform_time_back(const Load& load, Tile tile, const View& y, const Store& store) {
  const int64_t line = y.width * y.stride, frame = y.height * line;
  for (int q = 0; q < TILE_PLANE; ++q) {
    const int64_t h = tile.h + q / TILE_W, w = tile.w + q % TILE_W;
    if (h >= y.height || w >= y.width) continue;
    Vec outputs[TILE_T];
    outputs_of_six<Vec>(load(0, q), load(1, q), load(2, q), load(3, q), load(4, q), load(5, q), outputs);
    const int64_t pixel = (tile.t - y.first) * frame + h * line + w * y.stride;
    for (int t = 0; t < TILE_T && tile.t + t < y.end; ++t) store(pixel + t * frame, outputs[t]);
  }
}

// The tiles of a 3x3x3 convolution, in blocks that a thread takes at once. More tiles would use each weight more often,
// but what is transformed would no longer stay in the second-level cache: 28 are slower, and 42 slower still.
struct TileBlocks {
  explicit TileBlocks(const View& y, int64_t rows_at_once)
      : first(y.first),
        rows(ceil_div(y.height, TILE_H)),
        columns(ceil_div(y.width, TILE_W)),
        count(ceil_div(y.end - y.first, TILE_T) * rows * columns),
        size(14 / rows_at_once * rows_at_once) {}
  Tile tile(int64_t id) const {
    return Tile{first + id / (rows * columns) * TILE_T, id / columns % rows * TILE_H, id % columns * TILE_W};
  }
  int64_t first, rows, columns, count, size;
};

// --- 7x7x7, stride 2, three channels: F(4,4) along time and height, of even and odd frames and rows ------

// Along a strided axis, outputs are the sum of two stride-1 convolutions: of the even inputs with the 4 even taps, and
// of the odd ones with the 3 odd taps and a zero.
constexpr int STEM_T = 4, STEM_H = 4, STEM_KERNEL = 7, STEM_W = 28, PHASES = 4;
constexpr int STEM_AXIS = 7, STEM_POINTS = STEM_AXIS * STEM_AXIS;
constexpr int STEM_LINE = (3 * (2 * (STEM_W - 1) + STEM_KERNEL) + 15) / 16 * 16;

// The points are 0, 1, -1, 2, -2, 1/2 and infinity.
constexpr float STEM_INPUT[STEM_AXIS][STEM_AXIS] = {
    {-2, 4, 2.5f, -5, -0.5f, 1, 0}, {0, 2, -2, -4.5f, 0.5f, 1, 0}, {0, -2, 6, -3.5f, -1.5f, 1, 0},
    {0, 1, -1.5f, -2, 1.5f, 1, 0},  {0, -1, 2.5f, 0, -2.5f, 1, 0}, {0, 4, 0, -5, 0, 1, 0},
    {0, -2, 4, 2.5f, -5, -0.5f, 1}};
constexpr float STEM_OUTPUT[STEM_T][STEM_AXIS] = {
    {1, 1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0.5f, 0}, {0, 1, 1, 4, 4, 0.25f, 0}, {0, 1, -1, 8, -8, 0.125f, 1}};

// Matrix times vectors; zeros of the matrix cost nothing once the loops are unrolled.
template <class Vec, int M, int N>
inline __attribute__((always_inline)) void apply(const float (&matrix)[M][N], const Vec* in, Vec* out) {
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) {
    Vec sum{};
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j)
      if (matrix[i][j] != 0) sum += matrix[i][j] * in[j];
    out[i] = sum;
  }
}

template <class Vec>
inline Vec load_pixels(const float* p) {
  return read<Vec>(p);
}

template <class Vec>
inline Vec load_pixels(const std::uint8_t* p) {
  if constexpr (sizeof(Vec) == 64)
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  else
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}

// STEM_LINE values of one row from `column` on, of -`scale` … `scale`; zero outside the frame.
template <class Vec, class Pixel>
inline void read_line(const View& x, int64_t t, int64_t h, int64_t column, float scale, float* line) {
  constexpr int LANES = sizeof(Vec) / sizeof(float);
  std::fill(line, line + STEM_LINE, 0.f);
  if (t < x.first || t >= x.end || h < 0 || h >= x.height) return;
  const int64_t begin = std::max<int64_t>(column, 0), end = std::min<int64_t>(column + STEM_LINE / 3, x.width);
  const Pixel* pixels =
      static_cast<const Pixel*>(x.data) + (((t - x.first) * x.height + h) * x.width + begin) * 3;
  float* out = line + (begin - column) * 3;
  const int64_t count = (end - begin) * 3;
  const float factor = scale / 127.5f;
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES)
    write<Vec>(out + i, (load_pixels<Vec>(pixels + i) - 127.5f) * factor);
  for (; i < count; ++i) out[i] = (pixels[i] - 127.5f) * factor;
}

// The stem's tiles one below the other, STEM_W outputs wide, share most of their rows: a band transforms each row along
// time once and keeps those of the last tile.
constexpr int STEM_BAND = 7;

template <class Vec>
class StemBand {
 public:
  StemBand(const View& x, bool floats, Tile first, const Window& window, float scale)
      : x_(x),
        floats_(floats),
        t_(first.t * 2 - window.padding[0]),
        h_(first.h * 2 - window.padding[1]),
        w_(first.w * 2 - window.padding[2]),
        scale_(scale) {}

  // All points of the next tile, in four lines for each point: even and odd frames, even and odd rows. `store` takes a
  // place and a vector.
  template <class Store>
  void transform(const Store& store) {
    for (; row_ < first_ + STEM_AXIS; ++row_)
      for (int phase = 0; phase < PHASES; ++phase) transform_row(phase);
    for (int phase = 0; phase < PHASES; ++phase)
      for (int i = 0; i < STEM_AXIS; ++i)
        for (int v = 0; v < VECTORS; ++v) {
          Vec in[STEM_AXIS], out[STEM_AXIS];
          for (int j = 0; j < STEM_AXIS; ++j) in[j] = rows_[phase][(first_ + j) % KEPT][i][v];
          apply(STEM_INPUT, in, out);
          for (int j = 0; j < STEM_AXIS; ++j)
            store(((i * STEM_AXIS + j) * PHASES + phase) * STEM_LINE + v * LANES, out[j]);
        }
    first_ += STEM_H;
  }

 private:
  static constexpr int LANES = sizeof(Vec) / sizeof(float), VECTORS = STEM_LINE / LANES, KEPT = 8;
  static_assert(STEM_LINE % LANES == 0);

  void transform_row(int phase) {
    alignas(64) float lines[STEM_AXIS][STEM_LINE];
    for (int frame = 0; frame < STEM_AXIS; ++frame) {
      const int64_t t = t_ + 2 * frame + phase / 2, h = h_ + 2 * row_ + phase % 2;
      if (floats_)
        read_line<Vec, float>(x_, t, h, w_, scale_, lines[frame]);
      else
        read_line<Vec, std::uint8_t>(x_, t, h, w_, scale_, lines[frame]);
    }
    for (int v = 0; v < VECTORS; ++v) {
      Vec in[STEM_AXIS], out[STEM_AXIS];
      for (int i = 0; i < STEM_AXIS; ++i) in[i] = read<Vec>(lines[i] + v * LANES);
      apply(STEM_INPUT, in, out);
      for (int i = 0; i < STEM_AXIS; ++i) rows_[phase][row_ % KEPT][i][v] = out[i];
    }
  }

  const View& x_;
  const bool floats_;
  const int64_t t_, h_, w_;
  const float scale_;
  int row_ = 0, first_ = 0;
  Vec rows_[PHASES][KEPT][STEM_AXIS][VECTORS];
};

// Calls `work` with a tile of the stem, its width and what transforms it, for all tiles of each band in turn.
template <class Vec, class Work>
inline void stem_tiles(Threads& threads, const View& x, bool floats, const View& y, const Window& window, float scale,
                       const Work& work) {
  const int64_t bands = ceil_div(y.height, STEM_H * STEM_BAND), columns = ceil_div(y.width, STEM_W);
  threads.run(ceil_div(y.end - y.first, STEM_T) * bands * columns, [&](int64_t id, Scratch& scratch) {
    Tile tile{y.first + id / (bands * columns) * STEM_T, id / columns % bands * STEM_H * STEM_BAND,
              id % columns * STEM_W};
    StemBand<Vec> band(x, floats, tile, window, scale);
    for (int i = 0; i < STEM_BAND && tile.h < y.height; ++i, tile.h += STEM_H)
      work(band, tile, std::min<int64_t>(STEM_W, y.width - tile.w), scratch);
  });
}

// The outputs of one column of a tile: `load` gives the product of a point, `store` takes a place in `y` and a value.
template <class Vec, class Load, class Store>
inline void transform_stem_back(const Load& load, Tile tile, const View& y, const Store& store) {
  Vec half[STEM_H][STEM_AXIS];
  for (int t = 0; t < STEM_AXIS; ++t) {
    Vec in[STEM_AXIS], out[STEM_H];
    for (int h = 0; h < STEM_AXIS; ++h) in[h] = load(t * STEM_AXIS + h);
    apply(STEM_OUTPUT, in, out);
    for (int h = 0; h < STEM_H; ++h) half[h][t] = out[h];
  }
  const int64_t line = y.width * y.stride, frame = y.height * line;
  for (int h = 0; h < STEM_H && tile.h + h < y.height; ++h) {
    Vec out[STEM_T];
    apply(STEM_OUTPUT, half[h], out);
    const int64_t pixel = (tile.t - y.first) * frame + (tile.h + h) * line + tile.w * y.stride;
    for (int t = 0; t < STEM_T && tile.t + t < y.end; ++t) store(pixel + t * frame, out[t]);
  }
}

// --- max pool ---------------------------------------------------------------------------------------------------------

template <class Vec, class Value>
inline void pool_pixel(const View& x, int64_t channels, const Window& window, Tile at, Value* output) {
  constexpr int LANES = sizeof(Vec) / sizeof(Value);
  const Value* input = static_cast<const Value*>(x.data);
  const int64_t t0 = at.t * window.step[0] - window.padding[0], h0 = at.h * window.step[1] - window.padding[1];
  const int64_t w0 = at.w * window.step[2] - window.padding[2];
  const int64_t t_begin = std::max(t0, x.first), t_end = std::min(t0 + window.kernel[0], x.end);
  const int64_t h_begin = std::max<int64_t>(h0, 0), h_end = std::min(h0 + window.kernel[1], x.height);
  const int64_t w_begin = std::max<int64_t>(w0, 0), w_end = std::min(w0 + window.kernel[2], x.width);
  const auto load = [&](int64_t t, int64_t h, int64_t w, int64_t c) {
    return read<Vec>(input + (((t - x.first) * x.height + h) * x.width + w) * x.stride + c);
  };
  for (int64_t c = 0; c < channels; c += LANES) {
    Vec greatest = load(t_begin, h_begin, w_begin, c);
    for (int64_t t = t_begin; t < t_end; ++t)
      for (int64_t h = h_begin; h < h_end; ++h)
        for (int64_t w = w_begin; w < w_end; ++w) {
          const Vec value = load(t, h, w, c);
          greatest = value > greatest ? value : greatest;
        }
    write(output + c, greatest);
  }
}

// A line of stride 1: first the greatest of each column, which all windows that hold the column share.
template <class Vec, class Value>
inline void pool_line(const View& x, int64_t channels, const View& y, const Window& window, Tile at, Value* columns,
                      Value* output) {
  constexpr int LANES = sizeof(Vec) / sizeof(Value);
  const Value* input = static_cast<const Value*>(x.data);
  const int64_t t0 = at.t * window.step[0] - window.padding[0], h0 = at.h * window.step[1] - window.padding[1];
  const int64_t t_begin = std::max(t0, x.first), t_end = std::min(t0 + window.kernel[0], x.end);
  const int64_t h_begin = std::max<int64_t>(h0, 0), h_end = std::min(h0 + window.kernel[1], x.height);
  bool is_first = true;
  for (int64_t t = t_begin; t < t_end; ++t)
    for (int64_t h = h_begin; h < h_end; ++h, is_first = false) {
      const Value* line = input + ((t - x.first) * x.height + h) * x.width * x.stride;
      for (int64_t w = 0; w < x.width; ++w)
        for (int64_t c = 0; c < channels; c += LANES) {
          const Vec value = read<Vec>(line + w * x.stride + c);
          Value* column = columns + w * channels + c;
          const Vec greatest = is_first ? value : read<Vec>(column);
          write<Vec>(column, value > greatest ? value : greatest);
        }
    }
  for (int64_t w = 0; w < y.width; ++w) {
    const int64_t w_begin = std::max<int64_t>(w - window.padding[2], 0);
    const int64_t w_end = std::min(w - window.padding[2] + window.kernel[2], x.width);
    for (int64_t c = 0; c < channels; c += LANES) {
      Vec greatest = read<Vec>(columns + w_begin * channels + c);
      for (int64_t i = w_begin + 1; i < w_end; ++i) {
        const Vec value = read<Vec>(columns + i * channels + c);
        greatest = value > greatest ? value : greatest;
      }
      write(output + w * y.stride + c, greatest);
    }
  }
}

template <class Vec, class Value>
inline void pool_lines(Threads& threads, const View& x, int64_t channels, const View& y, const Window& window) {
  threads.run((y.end - y.first) * y.height, [&](int64_t line, Scratch& scratch) {
    Tile at{y.first + line / y.height, line % y.height, 0};
    Value* output = static_cast<Value*>(y.data) + line * y.width * y.stride;
    if (window.step[2] == 1) {
      Value* columns = static_cast<Value*>(scratch.reserve(x.width * channels * sizeof(Value)));
      pool_line<Vec>(x, channels, y, window, at, columns, output);
      return;
    }
    for (; at.w < y.width; ++at.w) pool_pixel<Vec>(x, channels, window, at, output + at.w * y.stride);
  });
}

}  // namespace
}  // namespace quovadis
