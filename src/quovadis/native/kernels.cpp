// The kernels, compiled once for each instruction set: LANES floats in a vector, ROWS x PANEL outputs in registers.
//
// Convolutions of 3x3x3 and the 7x7x7 stem use Winograd's minimal filtering (Lavin and Gray, "Fast Algorithms for
// Convolutional Neural Networks", CVPR 2016), nested along axes: a tile of inputs is transformed, each transformed
// point is a matrix product over channels, and the products are transformed back. A block of tiles stays in the cache
// of its core from the first transform to the last. Weights come transformed and packed; see engines/winograd.py.
#include "kernels.hpp"

#include <immintrin.h>

#include <algorithm>

#ifndef QUOVADIS_KERNELS
#error "compile with -DQUOVADIS_KERNELS=name -DQUOVADIS_LANES=floats in a vector"
#endif

namespace quovadis {
namespace {

using std::int64_t;

constexpr int LANES = QUOVADIS_LANES;
typedef float Vec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

// Weights are packed for 32 output channels at a time, and 16 where no more are left.
constexpr int PANEL = 32;
constexpr int ROWS = LANES == 16 ? 14 : 3;

inline Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }
inline Vec relu(Vec v) { return v > 0.f ? v : Vec{}; }

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t odd_lines(int64_t floats) { return (ceil_div(floats, 16) | 1) * 16; }

// Product of R rows of A with COLS columns of packed B. A row of A is `segments` runs of `depth` values.
template <int R, int COLS>
inline void product(const float* a, int64_t row, int segments, int64_t segment, int64_t depth, const float* b,
                    Vec (&sum)[R][COLS / LANES]) {
  constexpr int N = COLS / LANES;
  for (int r = 0; r < R; ++r)
    for (int n = 0; n < N; ++n) sum[r][n] = Vec{};
  for (int s = 0; s < segments; ++s, a += segment) {
    for (int64_t k = 0; k < depth; ++k, b += COLS) {
      Vec column[N];
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) column[n] = load(b + n * LANES);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const float value = a[r * row + k];
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) sum[r][n] += value * column[n];
      }
    }
  }
}

struct Operands {
  const float* a;
  int64_t row;
  int segments;
  int64_t segment, depth;
  const float* b;
  float* c;
  int64_t c_row;
  const float* bias;  // null: neither bias nor ReLU
  bool relu;
};

template <int R, int COLS>
void multiply_rows(const Operands& o) {
  constexpr int N = COLS / LANES;
  Vec sum[R][N];
  product<R, COLS>(o.a, o.row, o.segments, o.segment, o.depth, o.b, sum);
  for (int n = 0; n < N; ++n) {
    if (o.bias != nullptr) {
      const Vec offset = load(o.bias + n * LANES);
      for (int r = 0; r < R; ++r) {
        const Vec value = sum[r][n] + offset;
        store(o.c + r * o.c_row + n * LANES, o.relu ? relu(value) : value);
      }
    } else {
      for (int r = 0; r < R; ++r) store(o.c + r * o.c_row + n * LANES, sum[r][n]);
    }
  }
}

template <int COLS, int R = ROWS>
void multiply_few(const Operands& o, int64_t rows) {
  if (rows == R) {
    multiply_rows<R, COLS>(o);
  } else if constexpr (R > 1) {
    multiply_few<COLS, R - 1>(o, rows);
  }
}

// C = A B for any number of rows and one panel.
void multiply(Operands o, int64_t rows, int64_t columns) {
  while (rows > 0) {
    // Two passes of similar height beat a full one and a sliver.
    const int64_t now = rows >= 2 * ROWS || rows <= ROWS ? std::min<int64_t>(rows, ROWS) : (rows + 1) / 2;
    if (columns >= PANEL)
      multiply_few<PANEL>(o, now);
    else
      multiply_few<PANEL / 2>(o, now);
    o.a += now * o.row;
    o.c += now * o.c_row;
    rows -= now;
  }
}

// --- 1x1x1 ------------------------------------------------------------------------------------------------------------

void pointwise(Threads& threads, const View& x, int64_t channels, const float* weights, const float* bias,
               int64_t out_channels, const View& y, bool with_relu) {
  constexpr int64_t BLOCK = 56;
  const int64_t pixels = (y.end - y.first) * y.height * y.width;
  const float* input = static_cast<const float*>(x.data) + (y.first - x.first) * x.height * x.width * x.stride;
  float* output = static_cast<float*>(y.data);
  threads.run(ceil_div(pixels, BLOCK), [&](int64_t block, Scratch&) {
    const int64_t begin = block * BLOCK, rows = std::min(BLOCK, pixels - begin);
    for (int64_t k = 0; k < out_channels; k += PANEL) {
      multiply({input + begin * x.stride, x.stride, 1, 0, channels, weights + k * channels,
                output + begin * y.stride + k, y.stride, bias + k, with_relu},
               rows, out_channels - k);
    }
  });
}

// --- 3x3x3: F(4,3) along time, F(2,3) along height and width ----------------------------------------------------------

constexpr int POINTS_T = 6, POINTS_S = 4, POINTS = POINTS_T * POINTS_S * POINTS_S;
constexpr int TILE_T = 4, TILE_S = 2;

inline void transform_time(Vec* d, int step) {
  const Vec x0 = d[0], x1 = d[step], x2 = d[2 * step], x3 = d[3 * step], x4 = d[4 * step], x5 = d[5 * step];
  const Vec a = x4 - 4.f * x2, b = x3 - 4.f * x1, c = x4 - x2, e = 2.f * (x3 - x1);
  d[0] = 4.f * x0 - 5.f * x2 + x4;
  d[step] = a + b;
  d[2 * step] = a - b;
  d[3 * step] = c + e;
  d[4 * step] = c - e;
  d[5 * step] = 4.f * x1 - 5.f * x3 + x5;
}

inline void transform_space(Vec* d, int step) {
  const Vec x0 = d[0], x1 = d[step], x2 = d[2 * step], x3 = d[3 * step];
  d[0] = x2 - x0;
  d[step] = x1 + x2;
  d[2 * step] = x2 - x1;
  d[3 * step] = x3 - x1;
}

struct Tile {
  int64_t t, h, w;  // of its first output
};

// `points` of one tile and LANES channels, `step` values apart.
void transform_tile(const View& x, const float* origin, Tile tile, float* points, int64_t step) {
  Vec d[POINTS];
  const int64_t t0 = tile.t - 1, h0 = tile.h - 1, w0 = tile.w - 1;
  const int64_t frame = x.height * x.width * x.stride, line = x.width * x.stride;
  const bool inside = t0 >= x.first && t0 + POINTS_T <= x.end && h0 >= 0 && h0 + POINTS_S <= x.height && w0 >= 0 &&
                      w0 + POINTS_S <= x.width;
  const float* corner = origin + (t0 - x.first) * frame + h0 * line + w0 * x.stride;
  if (inside) {
    for (int t = 0; t < POINTS_T; ++t)
      for (int h = 0; h < POINTS_S; ++h)
        for (int w = 0; w < POINTS_S; ++w)
          d[(t * POINTS_S + h) * POINTS_S + w] = load(corner + t * frame + h * line + w * x.stride);
  } else {
    for (int t = 0; t < POINTS_T; ++t)
      for (int h = 0; h < POINTS_S; ++h)
        for (int w = 0; w < POINTS_S; ++w) {
          const bool exists = t0 + t >= x.first && t0 + t < x.end && h0 + h >= 0 && h0 + h < x.height && w0 + w >= 0 &&
                              w0 + w < x.width;
          d[(t * POINTS_S + h) * POINTS_S + w] =
              exists ? load(corner + t * frame + h * line + w * x.stride) : Vec{};
        }
  }
  for (int t = 0; t < POINTS_T; ++t) {
    Vec* plane = d + t * POINTS_S * POINTS_S;
    for (int h = 0; h < POINTS_S; ++h) transform_space(plane + h * POINTS_S, 1);
    for (int w = 0; w < POINTS_S; ++w) transform_space(plane + w, POINTS_S);
  }
  for (int s = 0; s < POINTS_S * POINTS_S; ++s) transform_time(d + s, POINTS_S * POINTS_S);
  for (int p = 0; p < POINTS; ++p) store(points + p * step, d[p]);
}

// The outputs of one tile and LANES channels, from products `step` values apart.
void transform_back(const float* products, int64_t step, Vec offset, Tile tile, const View& y, float* output) {
  Vec e[POINTS_T * 4];
  for (int t = 0; t < POINTS_T; ++t) {
    Vec f[8];
    for (int h = 0; h < POINTS_S; ++h) {
      const float* m = products + (t * POINTS_S + h) * POINTS_S * step;
      const Vec m0 = load(m), m1 = load(m + step), m2 = load(m + 2 * step), m3 = load(m + 3 * step);
      f[2 * h] = m0 + m1 + m2;
      f[2 * h + 1] = m1 - m2 + m3;
    }
    for (int w = 0; w < 2; ++w) {
      e[4 * t + w] = f[w] + f[2 + w] + f[4 + w];
      e[4 * t + 2 + w] = f[2 + w] - f[4 + w] + f[6 + w];
    }
  }
  const int64_t frame = y.height * y.width * y.stride;
  for (int q = 0; q < 4; ++q) {
    const int64_t h = tile.h + q / 2, w = tile.w + q % 2;
    if (h >= y.height || w >= y.width) continue;
    const Vec m0 = e[q], m1 = e[4 + q], m2 = e[8 + q], m3 = e[12 + q], m4 = e[16 + q], m5 = e[20 + q];
    const Vec sum12 = m1 + m2, difference12 = m1 - m2, sum34 = m3 + m4, difference34 = m3 - m4;
    const Vec outputs[TILE_T] = {m0 + sum12 + sum34, difference12 + 2.f * difference34, sum12 + 4.f * sum34,
                                 difference12 + 8.f * difference34 + m5};
    float* pixel = output + (tile.t - y.first) * frame + (h * y.width + w) * y.stride;
    for (int t = 0; t < TILE_T && tile.t + t < y.end; ++t) store(pixel + t * frame, relu(outputs[t] + offset));
  }
}

void convolve3(Threads& threads, const View& x, int64_t channels, const float* weights, const float* bias,
               int64_t out_channels, const View& y) {
  const int64_t rows = ceil_div(y.height, TILE_S), columns = ceil_div(y.width, TILE_S);
  const int64_t tiles = ceil_div(y.end - y.first, TILE_T) * rows * columns;
  // Half the second-level cache holds the transformed inputs of a block; more rows use each weight more often.
  const int64_t fitting = (std::int64_t{1} << 20) / (POINTS * channels * 4) / ROWS * ROWS;
  const int64_t block_tiles = std::clamp<int64_t>(fitting, ROWS, 28 / ROWS * ROWS);
  const float* input = static_cast<const float*>(x.data);
  threads.run(ceil_div(tiles, block_tiles), [&](int64_t block, Scratch& scratch) {
    // An odd number of cache lines from point to point: lines a power of two apart would share one set of the cache.
    const int64_t point = odd_lines(block_tiles * channels), product = odd_lines(block_tiles * PANEL);
    float* points = static_cast<float*>(scratch.reserve(sizeof(float) * POINTS * (point + product)));
    float* products = points + POINTS * point;
    const int64_t begin = block * block_tiles, count = std::min(block_tiles, tiles - begin);
    const auto tile = [&](int64_t i) {
      const int64_t id = begin + i;
      return Tile{y.first + id / (rows * columns) * TILE_T, id / columns % rows * TILE_S, id % columns * TILE_S};
    };
    for (int64_t i = 0; i < count; ++i)
      for (int64_t c = 0; c < channels; c += LANES)
        transform_tile(x, input + c, tile(i), points + i * channels + c, point);
    for (int64_t k = 0; k < out_channels; k += PANEL) {
      const int64_t width = std::min<int64_t>(PANEL, out_channels - k);
      for (int p = 0; p < POINTS; ++p)
        multiply({points + p * point, channels, 1, 0, channels,
                  weights + (POINTS * k + p * width) * channels, products + p * product, PANEL, nullptr,
                  false},
                 count, width);
      for (int64_t i = 0; i < count; ++i)
        for (int64_t n = 0; n < width; n += LANES)
          transform_back(products + i * PANEL + n, product, load(bias + k + n), tile(i), y,
                         static_cast<float*>(y.data) + k + n);
    }
  });
}

// --- 7x7x7, stride 2, three channels: F(4,4) along time and F(2,4) along height, of even and odd frames and rows --------

// Along a strided axis, outputs are the sum of two stride-1 convolutions: of the even inputs with the 4 even taps, and
// of the odd ones with the 3 odd taps and a zero.
constexpr int STEM_T = 4, STEM_H = 2, STEM_KERNEL = 7, STEM_W = 28, PHASES = 4;
constexpr int STEM_POINTS_T = 7, STEM_POINTS_H = 5, STEM_POINTS = STEM_POINTS_T * STEM_POINTS_H;
constexpr int STEM_LINE = (3 * (2 * (STEM_W - 1) + STEM_KERNEL) + 15) / 16 * 16;

// The points are 0, 1, -1, 2, -2, 1/2 and infinity along time; 0, 1, -1, 2 and infinity along height.
constexpr float STEM_INPUT_T[STEM_POINTS_T][STEM_POINTS_T] = {
    {-2, 4, 2.5f, -5, -0.5f, 1, 0}, {0, 2, -2, -4.5f, 0.5f, 1, 0}, {0, -2, 6, -3.5f, -1.5f, 1, 0},
    {0, 1, -1.5f, -2, 1.5f, 1, 0},  {0, -1, 2.5f, 0, -2.5f, 1, 0}, {0, 4, 0, -5, 0, 1, 0},
    {0, -2, 4, 2.5f, -5, -0.5f, 1}};
constexpr float STEM_INPUT_H[STEM_POINTS_H][STEM_POINTS_H] = {
    {2, -1, -2, 1, 0}, {0, -2, -1, 1, 0}, {0, 2, -3, 1, 0}, {0, -1, 0, 1, 0}, {0, 2, -1, -2, 1}};
constexpr float STEM_OUTPUT_T[STEM_T][STEM_POINTS_T] = {
    {1, 1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0.5f, 0}, {0, 1, 1, 4, 4, 0.25f, 0}, {0, 1, -1, 8, -8, 0.125f, 1}};
constexpr float STEM_OUTPUT_H[STEM_H][STEM_POINTS_H] = {{1, 1, 1, 1, 0}, {0, 1, -1, 2, 1}};

// Matrix times vectors; zeros of the matrix cost nothing once the loops are unrolled.
template <int M, int N>
inline __attribute__((always_inline)) void apply(const float (&matrix)[M][N], const Vec* in, int in_step, Vec* out,
                                                 int out_step) {
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) {
    Vec sum{};
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j)
      if (matrix[i][j] != 0) sum += matrix[i][j] * in[j * in_step];
    out[i * out_step] = sum;
  }
}

inline Vec load_bytes(const std::uint8_t* p) {
#if QUOVADIS_LANES == 16
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#else
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#endif
}

// STEM_LINE values of one row from `column` on, scaled to -1 … 1; zero outside the frame.
void read_line(const View& x, int64_t t, int64_t h, int64_t column, float* line) {
  std::fill(line, line + STEM_LINE, 0.f);
  if (t < x.first || t >= x.end || h < 0 || h >= x.height) return;
  const int64_t begin = std::max<int64_t>(column, 0), end = std::min<int64_t>(column + STEM_LINE / 3, x.width);
  const std::uint8_t* pixels =
      static_cast<const std::uint8_t*>(x.data) + (((t - x.first) * x.height + h) * x.width + begin) * 3;
  float* out = line + (begin - column) * 3;
  const int64_t count = (end - begin) * 3;
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    store(out + i, (load_bytes(pixels + i) - 127.5f) * (1 / 127.5f));
  }
  for (; i < count; ++i) out[i] = (pixels[i] - 127.5f) * (1 / 127.5f);
}

// All points of a tile that is STEM_W outputs wide; of each point, four lines: even and odd frames, even and odd rows.
void transform_stem(const View& x, Tile tile, const Window& window, float* points) {
  constexpr int VECTORS = STEM_LINE / LANES;
  static_assert(STEM_LINE % LANES == 0);
  alignas(64) float lines[STEM_POINTS_T][STEM_LINE];
  static thread_local Vec half[STEM_POINTS_T][VECTORS][STEM_POINTS_H];
  const int64_t t0 = tile.t * 2 - window.padding[0], h0 = tile.h * 2 - window.padding[1];
  const int64_t w0 = tile.w * 2 - window.padding[2];
  for (int phase = 0; phase < PHASES; ++phase) {
    for (int row = 0; row < STEM_POINTS_H; ++row) {
      for (int frame = 0; frame < STEM_POINTS_T; ++frame)
        read_line(x, t0 + 2 * frame + phase / 2, h0 + 2 * row + phase % 2, w0, lines[frame]);
      for (int v = 0; v < VECTORS; ++v) {
        Vec in[STEM_POINTS_T], out[STEM_POINTS_T];
        for (int i = 0; i < STEM_POINTS_T; ++i) in[i] = load(lines[i] + v * LANES);
        apply(STEM_INPUT_T, in, 1, out, 1);
        for (int i = 0; i < STEM_POINTS_T; ++i) half[i][v][row] = out[i];
      }
    }
    for (int i = 0; i < STEM_POINTS_T; ++i)
      for (int v = 0; v < VECTORS; ++v) {
        Vec out[STEM_POINTS_H];
        apply(STEM_INPUT_H, half[i][v], 1, out, 1);
        for (int j = 0; j < STEM_POINTS_H; ++j)
          store(points + ((i * STEM_POINTS_H + j) * PHASES + phase) * STEM_LINE + v * LANES, out[j]);
      }
  }
}

void stem(Threads& threads, const View& x, const float* weights, const float* bias, int64_t out_channels, const View& y,
          const Window& window) {
  constexpr int DEPTH = STEM_KERNEL * 3;
  const int64_t rows = ceil_div(y.height, STEM_H), columns = ceil_div(y.width, STEM_W);
  const int64_t tiles = ceil_div(y.end - y.first, STEM_T) * rows * columns;
  const int64_t frame = y.height * y.width * y.stride;
  const int64_t product = odd_lines(STEM_W * PANEL);
  threads.run(tiles, [&](int64_t id, Scratch& scratch) {
    float* points = static_cast<float*>(
        scratch.reserve(sizeof(float) * STEM_POINTS * (PHASES * STEM_LINE + product)));
    float* products = points + STEM_POINTS * PHASES * STEM_LINE;
    const Tile tile{y.first + id / (rows * columns) * STEM_T, id / columns % rows * STEM_H, id % columns * STEM_W};
    const int64_t count = std::min<int64_t>(STEM_W, y.width - tile.w);
    transform_stem(x, tile, window, points);
    for (int64_t k = 0; k < out_channels; k += PANEL) {
      const int64_t width = std::min<int64_t>(PANEL, out_channels - k);
      for (int p = 0; p < STEM_POINTS; ++p)
        multiply({points + p * PHASES * STEM_LINE, 6, PHASES, STEM_LINE, DEPTH,
                  weights + (STEM_POINTS * k + p * width) * PHASES * DEPTH, products + p * product, PANEL,
                  nullptr, false},
                 count, width);
      for (int64_t i = 0; i < count; ++i)
        for (int64_t n = 0; n < width; n += LANES) {
          Vec half[STEM_H][STEM_POINTS_T];
          const float* from = products + i * PANEL + n;
          for (int t = 0; t < STEM_POINTS_T; ++t) {
            Vec in[STEM_POINTS_H], out[STEM_H];
            for (int h = 0; h < STEM_POINTS_H; ++h)
              in[h] = load(from + (t * STEM_POINTS_H + h) * product);
            apply(STEM_OUTPUT_H, in, 1, out, 1);
            for (int h = 0; h < STEM_H; ++h) half[h][t] = out[h];
          }
          const Vec offset = load(bias + k + n);
          for (int h = 0; h < STEM_H && tile.h + h < y.height; ++h) {
            Vec out[STEM_T];
            apply(STEM_OUTPUT_T, half[h], 1, out, 1);
            float* pixel = static_cast<float*>(y.data) + (tile.t - y.first) * frame +
                           ((tile.h + h) * y.width + tile.w + i) * y.stride + k + n;
            for (int t = 0; t < STEM_T && tile.t + t < y.end; ++t) store(pixel + t * frame, relu(out[t] + offset));
          }
        }
    }
  });
}

// --- max pool ---------------------------------------------------------------------------------------------------------

void max_pool(Threads& threads, const View& x, int64_t channels, const View& y, const Window& window) {
  const float* input = static_cast<const float*>(x.data);
  threads.run((y.end - y.first) * y.height, [&](int64_t line, Scratch&) {
    const int64_t t = y.first + line / y.height, h = line % y.height;
    const int64_t t0 = t * window.step[0] - window.padding[0], h0 = h * window.step[1] - window.padding[1];
    const int64_t t_begin = std::max(t0, x.first), t_end = std::min(t0 + window.kernel[0], x.end);
    const int64_t h_begin = std::max<int64_t>(h0, 0), h_end = std::min(h0 + window.kernel[1], x.height);
    for (int64_t w = 0; w < y.width; ++w) {
      const int64_t w0 = w * window.step[2] - window.padding[2];
      const int64_t w_begin = std::max<int64_t>(w0, 0), w_end = std::min(w0 + window.kernel[2], x.width);
      float* output = static_cast<float*>(y.data) + (line * y.width + w) * y.stride;
      for (int64_t c = 0; c < channels; c += LANES) {
        Vec greatest = load(input + (((t_begin - x.first) * x.height + h_begin) * x.width + w_begin) * x.stride + c);
        for (int64_t ti = t_begin; ti < t_end; ++ti)
          for (int64_t hi = h_begin; hi < h_end; ++hi)
            for (int64_t wi = w_begin; wi < w_end; ++wi) {
              const Vec value = load(input + (((ti - x.first) * x.height + hi) * x.width + wi) * x.stride + c);
              greatest = value > greatest ? value : greatest;
            }
        store(output + c, greatest);
      }
    }
  });
}

}  // namespace

extern const Kernels QUOVADIS_KERNELS;
#define QUOVADIS_NAME_OF(x) #x
#define QUOVADIS_NAME(x) QUOVADIS_NAME_OF(x)
const Kernels QUOVADIS_KERNELS = {QUOVADIS_NAME(QUOVADIS_KERNELS), pointwise, convolve3, stem, max_pool};

}  // namespace quovadis
