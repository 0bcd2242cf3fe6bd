// The kernels, compiled once for each instruction set: LANES floats in a vector, ROWS x PANEL outputs in registers.
//
// Convolutions of 3x3x3 and the 7x7x7 stem use Winograd's minimal filtering (Lavin and Gray, "Fast Algorithms for
// Convolutional Neural Networks", CVPR 2016), nested along axes: a tile of inputs is transformed, each transformed
// point is a matrix product over channels, and the products are transformed back. A block of tiles stays in the cache
// of its core from the first transform to the last. Weights come transformed and packed; see engines/winograd.py.
#include "tiles.hpp"

#ifndef QUOVADIS_KERNELS
#error "compile with -DQUOVADIS_KERNELS=name -DQUOVADIS_LANES=floats in a vector"
#endif

namespace quovadis {
namespace {

constexpr int LANES = QUOVADIS_LANES;
typedef float Vec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

// Weights are packed for 32 output channels at a time, and 16 where no more are left.
constexpr int PANEL = 32;
constexpr int ROWS = LANES == 16 ? 14 : 3;

inline Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }
inline Vec relu(Vec v) { return v > 0.f ? v : Vec{}; }

// Product of R rows of A with COLS columns of packed B. A row of A is `segments` runs of `depth` values.
template <int R, int COLS>
inline void product(const float* a, int64_t row, int segments, int64_t segment, int64_t depth, const float* b,
                    Vec (&sum)[R][COLS / LANES]) {
  constexpr int N = COLS / LANES;
  // The weights of the next point follow; fetching them now hides how far away they are.
  const int64_t ahead = COLS * depth * segments;
  for (int r = 0; r < R; ++r)
    for (int n = 0; n < N; ++n) sum[r][n] = Vec{};
  for (int s = 0; s < segments; ++s, a += segment) {
    for (int64_t k = 0; k < depth; ++k, b += COLS) {
      Vec column[N];
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) {
        column[n] = load(b + n * LANES);
        if (LANES == 16 || n % 2 == 0) _mm_prefetch(reinterpret_cast<const char*>(b + ahead + n * LANES), _MM_HINT_T0);
      }
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

// --- 3x3x3 ------------------------------------------------------------------------------------------------------------

void convolve3(Threads& threads, const View& x, int64_t channels, const float* weights, const float* bias,
               int64_t out_channels, const View& y) {
  const TileBlocks blocks(y, ROWS);
  const int64_t point = odd_lines(blocks.size * channels * 4) / 4, product = odd_lines(blocks.size * PANEL * 4) / 4;
  const float* input = static_cast<const float*>(x.data);
  threads.run(ceil_div(blocks.count, blocks.size), [&](int64_t block, Scratch& scratch) {
    const int64_t begin = block * blocks.size, count = std::min(blocks.size, blocks.count - begin);
    float* points = static_cast<float*>(
        scratch.reserve(sizeof(float) * (POINTS * point + (POINTS_PLANE + POINTS_T * TILE_PLANE) * product)));
    float* products = points + POINTS * point;
    float* planes = products + POINTS_PLANE * product;
    for (int64_t i = 0; i < count; ++i)
      for (int64_t c = 0; c < channels; c += LANES) {
        Vec d[POINTS];
        transform_tile(x, blocks.tile(begin + i), [&](int64_t place) { return load(input + place + c); }, d);
        for (int p = 0; p < POINTS; ++p) store(points + p * point + i * channels + c, d[p]);
      }
    for (int64_t k = 0; k < out_channels; k += PANEL) {
      const int64_t width = std::min<int64_t>(PANEL, out_channels - k);
      for (int t = 0; t < POINTS_T; ++t) {
        for (int p = 0; p < POINTS_PLANE; ++p) {
          const int64_t all = t * POINTS_PLANE + p;
          multiply({points + all * point, channels, 1, 0, channels, weights + (POINTS * k + all * width) * channels,
                    products + p * product, PANEL, nullptr, false},
                   count, width);
        }
        for (int64_t i = 0; i < count; ++i)
          for (int64_t n = 0; n < width; n += LANES) {
            const float* from = products + i * PANEL + n;
            float* to = planes + t * TILE_PLANE * product + i * PANEL + n;
            transform_plane_back<Vec>([&](int p) { return load(from + p * product); },
                                      [&](int q, Vec value) { store(to + q * product, value); });
          }
      }
      for (int64_t i = 0; i < count; ++i)
        for (int64_t n = 0; n < width; n += LANES) {
          const Vec offset = load(bias + k + n);
          float* output = static_cast<float*>(y.data) + k + n;
          const float* from = planes + i * PANEL + n;
          transform_time_back<Vec>([&](int t, int q) { return load(from + (t * TILE_PLANE + q) * product); },
                                   blocks.tile(begin + i), y,
                                   [&](int64_t place, Vec value) { store(output + place, relu(value + offset)); });
        }
    }
  });
}

// --- 7x7x7 ------------------------------------------------------------------------------------------------------------

void stem(Threads& threads, const View& x, bool floats, const float* weights, const float* bias, int64_t out_channels,
          const View& y, const Window& window) {
  constexpr int DEPTH = STEM_KERNEL * 3;
  const int64_t product = odd_lines(STEM_W * PANEL * 4) / 4;
  stem_tiles<Vec>(threads, x, floats, y, window, 1.f, [&](StemBand<Vec>& band, Tile tile, int64_t count,
                                                          Scratch& scratch) {
    float* points =
        static_cast<float*>(scratch.reserve(sizeof(float) * STEM_POINTS * (PHASES * STEM_LINE + product)));
    float* products = points + STEM_POINTS * PHASES * STEM_LINE;
    band.transform([&](int64_t place, Vec value) { store(points + place, value); });
    for (int64_t k = 0; k < out_channels; k += PANEL) {
      const int64_t width = std::min<int64_t>(PANEL, out_channels - k);
      for (int p = 0; p < STEM_POINTS; ++p)
        multiply({points + p * PHASES * STEM_LINE, 6, PHASES, STEM_LINE, DEPTH,
                  weights + (STEM_POINTS * k + p * width) * PHASES * DEPTH, products + p * product, PANEL, nullptr,
                  false},
                 count, width);
      for (int64_t i = 0; i < count; ++i)
        for (int64_t n = 0; n < width; n += LANES) {
          const Vec offset = load(bias + k + n);
          float* output = static_cast<float*>(y.data) + k + n;
          const float* from = products + i * PANEL + n;
          transform_stem_back<Vec>([&](int p) { return load(from + p * product); }, Tile{tile.t, tile.h, tile.w + i},
                                   y, [&](int64_t place, Vec value) { store(output + place, relu(value + offset)); });
        }
    }
  });
}

void max_pool(Threads& threads, const View& x, int64_t channels, const View& y, const Window& window) {
  pool_lines<Vec, float>(threads, x, channels, y, window);
}

}  // namespace

extern const Kernels QUOVADIS_KERNELS;
#define QUOVADIS_NAME_OF(x) #x
#define QUOVADIS_NAME(x) QUOVADIS_NAME_OF(x)
const Kernels QUOVADIS_KERNELS = {QUOVADIS_NAME(QUOVADIS_KERNELS), pointwise, convolve3, stem, max_pool};

}  // namespace quovadis
