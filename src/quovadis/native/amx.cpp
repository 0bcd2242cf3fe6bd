// Convolutions of 8-bit feature maps on the processor's matrix unit (AMX), without a transform: it multiplies bytes so
// much faster than vectors that Winograd's gain is not worth 16-bit values.
//
// A weight of 16 bits is 256 times one byte plus another: two products of bytes, whose sums cannot overflow. Rows of a
// tile are 16 neighbouring outputs, read where their inputs lie: a feature map has its channels last, so that the three
// pixels of a kernel's line follow each other. Lines and frames that share a border of zeros need no case of their own;
// of the outputs, one in a line falls on the border and is left out. Packing: see engines/native_amx.py.
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmath>

#include "amx_tiles.hpp"

namespace quovadis {
namespace {

// --- borders ----------------------------------------------------------------------------------------------------------

// A feature map with a border around: `frames` from frame `first` on, of `lines` of `columns` pixels.
struct Bordered {
  int64_t first, frames, lines, columns;
  int64_t above, left;  // pixels of border
  int64_t channels;
  std::uint8_t fill;

  int64_t line_bytes() const { return columns * channels; }
  int64_t bytes() const { return frames * lines * line_bytes(); }

  // Makes as many of them as there are `maps`, one after the other, with `more` readable bytes behind. `copy` writes to
  // all of them `count` pixels of `x` from a number on.
  template <class Copy>
  std::uint8_t* make(Threads& threads, const View& x, int64_t maps, int64_t more, const Copy& copy) const {
    std::uint8_t* made = static_cast<std::uint8_t*>(threads.reserve_shared(maps * bytes() + more));
    const int64_t inside = std::min(columns - left, x.width);
    threads.run(frames, [&](int64_t frame, Scratch&) {
      const int64_t t = first + frame;
      for (int64_t l = 0; l < lines; ++l) {
        std::uint8_t* to = made + (frame * lines + l) * line_bytes();
        const int64_t h = l - above;
        const bool exists = t >= x.first && t < x.end && h >= 0 && h < x.height;
        const int64_t before = exists ? left : columns, end = exists ? left + inside : columns;
        for (int64_t m = 0; m < maps; ++m) {
          std::memset(to + m * bytes(), fill, before * channels);
          std::memset(to + m * bytes() + end * channels, fill, (columns - end) * channels);
        }
        if (exists) copy(((t - x.first) * x.height + h) * x.width, inside, to + left * channels);
      }
    });
    std::memset(made + maps * bytes(), fill, more);
    return made;
  }
};

// --- 1x1x1 and 3x3x3 --------------------------------------------------------------------------------------------------

// Rows of a matrix product: `frames` times `positions`, of which in each line the first `width` are outputs.
struct Rows {
  const std::uint8_t* data;
  int64_t row, frame, bytes;  // from one position and frame to the next; all that can be read
  int64_t frames, positions, line, width;
  const std::vector<int64_t>& places;  // of a row's bytes, 64 at each
};

// Up to 32 positions in a row.
struct Block {
  const std::uint8_t* data;
  int64_t row, count;
  int64_t w, pixel;  // of the first: its place in the line, and its output's number
};

// Scales sums, adds the bias and stores bytes, leaving out positions on the border.
template <int VECTORS>
struct FinishBytes {
  Vec factor[VECTORS], offset[VECTORS];
  int64_t count;  // of vectors that there are outputs for
  std::uint8_t* to;
  int64_t stride, w, line, width;

  void row(const std::int32_t* sums, int64_t r) {
    if (w < width) {
      if constexpr (VECTORS == 1) {
        store_bytes(to, sum_of_row(sums, r) * factor[0] + offset[0]);
      } else {
        const std::int32_t* both = sums + r / ROWS * 512 + r % ROWS * LANES;
        for (int n = 0; n < count; ++n)
          store_bytes(to + n * LANES, to_float(_mm512_loadu_si512(both + n * 256)) * factor[n] + offset[n]);
      }
      to += stride;
    }
    if (++w == line) w = 0;
  }
};

// `VECTORS` of 16 outputs at a time: one whose weights have two bytes, or two whose weights have one.
template <int VECTORS>
void multiply_rows(Threads& threads, const Rows& rows, const std::int8_t* weights, const float* scale,
                   const float* bias, int64_t out_channels, const View& y) {
  // Blocks that a thread takes at once; weights that stay in the first-level cache meanwhile, and in the second-level.
  constexpr int64_t GROUP = 4, NEAR = 14, WEIGHT_BYTES = 3 << 18;
  const int64_t blocks = ceil_div(rows.positions, BLOCK), all = rows.frames * blocks, groups = ceil_div(all, GROUP);
  const int64_t chunks = rows.places.size(), panel = chunks * 2 * TILE_BYTES;
  const int64_t span = std::max<int64_t>(WEIGHT_BYTES / panel, 1) * VECTORS * LANES;
  const int64_t part = ceil_div(chunks, ceil_div(chunks, NEAR));
  threads.run(groups * ceil_div(out_channels, span), [&](int64_t job, Scratch& scratch) {
    const TileRegisters registers;
    std::int32_t* sums =
        static_cast<std::int32_t*>(scratch.reserve(GROUP * 4 * TILE_BYTES + 2 * BLOCK * chunks * DEPTH));
    std::uint8_t* copy = reinterpret_cast<std::uint8_t*>(sums + GROUP * TILE_BYTES);
    const int64_t first = job % groups * GROUP, count = std::min(GROUP, all - first);
    const int64_t k_first = job / groups * span, k_end = std::min(k_first + span, out_channels);
    Block taken[GROUP];
    for (int64_t i = 0; i < count; ++i) {
      const int64_t frame = (first + i) / blocks, begin = (first + i) % blocks * BLOCK;
      Block& block = taken[i];
      block = {rows.data + frame * rows.frame + begin * rows.row, rows.row, std::min(BLOCK, rows.positions - begin),
               begin % rows.line, (frame * y.height + begin / rows.line) * rows.width + begin % rows.line};
      if (block.data - rows.data + (BLOCK - 1) * rows.row + rows.places.back() + DEPTH > rows.bytes) {
        // Only of a 1x1x1, the last two: their rows would be read beyond the end of the feature map.
        block.row = chunks * DEPTH;
        for (int64_t r = 0; r < block.count; ++r)
          std::memcpy(copy + r * block.row, block.data + r * rows.row, std::min(rows.row, block.row));
        block.data = copy;
        copy += BLOCK * block.row;
      }
    }
    Pending<FinishBytes<VECTORS>> pending;
    for (int64_t k = k_first; k < k_end; k += VECTORS * LANES) {
      FinishBytes<VECTORS> finish;
      finish.count = std::min<int64_t>(VECTORS, (out_channels - k) / LANES);
      for (int64_t n = 0; n < finish.count; ++n) {
        finish.factor[n] = read<Vec>(scale + k + n * LANES);
        finish.offset[n] = read<Vec>(bias + k + n * LANES);
      }
      finish.stride = y.stride;
      finish.line = rows.line;
      finish.width = rows.width;
      for (int64_t c = 0; c < chunks; c += part)
        for (int64_t i = 0; i < count; ++i) {
          const Block& block = taken[i];
          multiply<false>(block.data, block.row, rows.places.data() + c, std::min(part, chunks - c),
                          weights + k / (VECTORS * LANES) * panel + c * 2 * TILE_BYTES, block.count > ROWS, c == 0,
                          sums + i * TILE_BYTES, pending);
          if (c + part < chunks) continue;
          finish.to = static_cast<std::uint8_t*>(y.data) + block.pixel * y.stride + k;
          finish.w = block.w;
          pending.begin(sums + i * TILE_BYTES, block.count, finish);
        }
    }
    pending.rest();
  });
}

void pointwise(Threads& threads, const View& x, int64_t channels, const std::int8_t* weights, bool bytes,
               const float* scale, const float* bias, int64_t out_channels, const View& y) {
  std::vector<int64_t> places(ceil_div(channels, DEPTH));
  for (std::size_t k = 0; k < places.size(); ++k) places[k] = k * DEPTH;
  const int64_t frame = x.height * x.width, pixels = (y.end - y.first) * frame;
  const std::uint8_t* data = static_cast<const std::uint8_t*>(x.data) + (y.first - x.first) * frame * x.stride;
  (bytes ? multiply_rows<2> : multiply_rows<1>)(
      threads, {data, x.stride, 0, pixels * x.stride, 1, pixels, pixels, pixels, places}, weights, scale, bias,
      out_channels, y);
}

void convolve3(Threads& threads, const View& x, int64_t channels, const std::int8_t* weights, bool bytes,
               const float* scale, const float* bias, int64_t out_channels, const View& y) {
  // A line's border is also the one of the line before, a frame's that of the frame before.
  const int64_t frames = y.end - y.first, line = y.width + 1, lines = y.height + 1;
  const Bordered bordered{y.first - 1, frames + 2, lines, line, 1, 1, channels, 0};
  const int64_t more = (line + BLOCK + 2) * channels + DEPTH;
  const std::uint8_t* data = bordered.make(threads, x, 1, more, [&](int64_t pixel, int64_t count, std::uint8_t* to) {
    const std::uint8_t* from = static_cast<const std::uint8_t*>(x.data) + pixel * x.stride;
    if (x.stride == channels) {
      std::memcpy(to, from, count * channels);
      return;
    }
    for (int64_t i = 0; i < count; ++i, to += channels, from += x.stride) {
      // What is beyond the feature map's channels has weights of zero.
      std::memcpy(to, from, std::min(channels, x.stride));
      if (channels > x.stride) std::memset(to + x.stride, 0, channels - x.stride);
    }
  });
  const int64_t in_line = ceil_div(3 * channels, DEPTH), count = 9 * in_line;
  std::vector<int64_t> places(count);
  for (int64_t k = 0; k < count; ++k) {
    const int64_t tap = k / in_line;
    places[k] = (tap / 3 * lines + tap % 3) * line * channels + k % in_line * DEPTH;
  }
  (bytes ? multiply_rows<2> : multiply_rows<1>)(
      threads,
      {data, channels, lines * line * channels, bordered.bytes() + more, frames, y.height * line - 1, line, y.width, places},
      weights, scale, bias, out_channels, y);
}

// --- 7x7x7 ------------------------------------------------------------------------------------------------------------

constexpr int64_t TAPS = 7, LINES_AT_ONCE = 3, PIXEL = 3 * LINES_AT_ONCE;

// Three lines in one, the three colours of each line's pixel after those of the line before: 7 pixels are 63 bytes.
// Pixels become -128 … 127.
inline void interleave(const std::uint8_t* const (&lines)[LINES_AT_ONCE], int64_t pixels, std::uint8_t* to) {
  alignas(64) std::uint8_t order[64] = {};
  for (int64_t i = 0; i < TAPS * PIXEL; ++i) {
    const std::uint8_t line = i % PIXEL / 3;
    order[i] = line * 32 + i / PIXEL * 3 + i % 3;
  }
  const __m512i from = _mm512_load_si512(order), half = _mm512_set1_epi8(-128);
  const auto load = [](const std::uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); };
  for (int64_t i = 0; i < pixels; i += TAPS) {
    const __m512i two = _mm512_inserti64x4(_mm512_castsi256_si512(load(lines[0] + i * 3)), load(lines[1] + i * 3), 1);
    const __m512i third = _mm512_castsi256_si512(load(lines[2] + i * 3));
    _mm512_storeu_si512(to + i * PIXEL, _mm512_xor_si512(_mm512_permutex2var_epi8(two, from, third), half));
  }
}

// The taps, of those from place `first` of an axis on, that meet pixels `begin` to `end` - 1: the first, and the one after
// the last.
inline std::pair<int64_t, int64_t> taps_inside(int64_t first, int64_t begin, int64_t end) {
  return {std::clamp<int64_t>(begin - first, 0, TAPS), std::clamp<int64_t>(end - first, 0, TAPS)};
}

// Scales sums, adds the bias and what halves of a level add, which depends on the taps that meet pixels, and stores.
struct FinishStem {
  Vec factor, offset, inside;
  const float* halves;
  int64_t channels;
  std::int16_t* to;
  int64_t stride, first, width;

  void row(const std::int32_t* sums, int64_t r) {
    Vec all = inside;
    if (first < 0 || first + TAPS > width) {
      const auto [w0, w1] = taps_inside(first, 0, width);
      all = offset + (read<Vec>(halves + w1 * channels) - read<Vec>(halves + w0 * channels));
    }
    store_shorts(to, sum_of_row(sums, r) * factor + all);
    to += stride;
    first += 2;
  }
};

// Pixels are -127.5 … 127.5, half more than the bytes that are multiplied, and 0 in the border. `halves` is what the
// half adds: for all numbers of frames, rows and columns of the kernel, 8 x 8 x 8, what these first ones add to each
// output. What floats have beyond whole numbers, in 256ths, is multiplied with the upper bytes of the weights, which
// follow the others for this; whole floats give what bytes give.
void stem(Threads& threads, const View& x, bool floats, const std::int8_t* weights, const float* scale,
          const float* bias, const float* halves, int64_t out_channels, const View& y, const Window& window) {
  constexpr int64_t CHUNKS = 17, IN_FRAMES = 14, KEPT = 8, PARTS = TAPS + 1;
  const int64_t frames = y.end - y.first, maps = floats ? 2 : 1;
  const int64_t lines = 2 * (y.height - 1) + TAPS, columns = 2 * (y.width - 1) + TAPS;
  const Bordered bordered{2 * y.first - window.padding[0], 2 * (frames - 1) + TAPS, lines, columns,
                          window.padding[1],               window.padding[2],       3,     128};
  const std::uint8_t* data =
      bordered.make(threads, x, maps, 4 * DEPTH, [&](int64_t pixel, int64_t count, std::uint8_t* to) {
        if (!floats) {
          std::memcpy(to, static_cast<const std::uint8_t*>(x.data) + pixel * 3, count * 3);
          return;
        }
        const float* from = static_cast<const float*>(x.data) + pixel * 3;
        for (int64_t i = 0; i < count * 3; ++i) {
          const float whole = std::clamp(std::nearbyint(from[i]), 0.f, 255.f);
          to[i] = static_cast<std::uint8_t>(whole);
          to[bordered.bytes() + i] = static_cast<std::uint8_t>(
              std::clamp(std::nearbyint((from[i] - whole) * 256.f), -128.f, 127.f) + 128.f);
        }
      });
  const int64_t row = 2 * PIXEL, chunk = odd_lines((columns + TAPS) * PIXEL + BLOCK * row + DEPTH);
  // The same row of outputs of all frames: those that follow each other share most of what is interleaved.
  threads.run(y.height, [&](int64_t h, Scratch& scratch) {
    const TileRegisters registers;
    std::int32_t* sums = static_cast<std::int32_t*>(
        scratch.reserve(4 * TILE_BYTES + PARTS * out_channels * 4 + maps * (2 * KEPT + CHUNKS - IN_FRAMES) * chunk));
    float* offsets = reinterpret_cast<float*>(sums + TILE_BYTES);
    std::uint8_t* rows = reinterpret_cast<std::uint8_t*>(offsets + PARTS * out_channels);
    const auto line = [&](int64_t frame, int64_t tap) {
      return data + (frame * lines + 2 * h + tap) * bordered.line_bytes();
    };
    const auto put = [&](const std::uint8_t* a, const std::uint8_t* b, const std::uint8_t* c, int64_t slot) {
      for (int64_t m = 0; m < maps; ++m) {
        const int64_t map = m * bordered.bytes();
        interleave({a + map, b + map, c + map}, columns, rows + (slot * maps + m) * chunk);
      }
    };
    const auto [h0, h1] = taps_inside(2 * h - window.padding[1], 0, x.height);
    Pending<FinishStem> pending;
    for (int64_t t = 0, made = 0; t < frames; ++t) {
      for (; made < 2 * t + TAPS; ++made)
        for (int64_t i = 0; i < 2; ++i)
          put(line(made, 3 * i), line(made, 3 * i + 1), line(made, 3 * i + 2), made % KEPT * 2 + i);
      // The kernel's last row, of three frames; what is beyond the last frame has weights of zero.
      const auto last = [&](int64_t tap) { return line(2 * t + std::min(tap, TAPS - 1), TAPS - 1); };
      for (int64_t k = 0; k < CHUNKS - IN_FRAMES; ++k)
        put(last(3 * k), last(3 * k + 1), last(3 * k + 2), 2 * KEPT + k);
      int64_t places[2 * CHUNKS];
      for (int64_t m = 0; m < maps; ++m)
        for (int64_t k = 0; k < CHUNKS; ++k) {
          const int64_t slot = k < IN_FRAMES ? (2 * t + k / 2) % KEPT * 2 + k % 2 : 2 * KEPT + k - IN_FRAMES;
          places[m * CHUNKS + k] = (slot * maps + m) * chunk;
        }
      const auto [t0, t1] = taps_inside(2 * (y.first + t) - window.padding[0], x.first, x.end);
      for (int64_t w = 0; w < PARTS; ++w)
        for (int64_t k = 0; k < out_channels; k += LANES) {
          const auto first = [&](int64_t a, int64_t b) {
            return read<Vec>(halves + ((a * PARTS + b) * PARTS + w) * out_channels + k);
          };
          write<Vec>(offsets + w * out_channels + k, first(t1, h1) - first(t0, h1) - first(t1, h0) + first(t0, h0));
        }
      for (int64_t k = 0; k < out_channels; k += LANES) {
        const Vec offset = read<Vec>(bias + k);
        const Vec inside = offset + (read<Vec>(offsets + TAPS * out_channels + k) - read<Vec>(offsets + k));
        std::int16_t* to = static_cast<std::int16_t*>(y.data) + (t * y.height + h) * y.width * y.stride + k;
        for (int64_t begin = 0; begin < y.width; begin += BLOCK) {
          const int64_t count = std::min(BLOCK, y.width - begin);
          multiply<true>(rows + begin * row, row, places, maps * CHUNKS,
                         weights + k / LANES * 2 * CHUNKS * 2 * TILE_BYTES, count > ROWS, true, sums, pending);
          pending.begin(sums, count,
                        {read<Vec>(scale + k), offset, inside, offsets + k, out_channels, to + begin * y.stride,
                         y.stride, 2 * begin - window.padding[2], x.width});
        }
      }
      pending.rest();
    }
  });
}

// Asks the system for the tiles' registers, once; children inherit them.
bool ask_permission() {
  constexpr int ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18;
  return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

bool is_supported() {
  constexpr unsigned AMX_TILE = 1u << 24, AMX_INT8 = 1u << 25;
  unsigned eax, ebx, ecx, edx;
  static const bool supported = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx & AMX_TILE) &&
                                (edx & AMX_INT8) && __builtin_cpu_supports("avx512vbmi") && ask_permission();
  return supported;
}

}  // namespace

extern const AmxKernels amx_kernels;
const AmxKernels amx_kernels = {is_supported, pointwise, convolve3, stem};

}  // namespace quovadis
