// The library's C interface: a pool of threads with the kernels of one instruction set.
#include <cstring>

#include "kernels.hpp"

namespace quovadis {
extern const Kernels avx2;
extern const Kernels avx512;
extern const IntegerKernels integer_kernels;
#ifdef QUOVADIS_AMX
extern const AmxKernels amx_kernels;
#endif
}  // namespace quovadis

namespace {

struct Pool {
  Pool(const quovadis::Kernels& chosen, const quovadis::AmxKernels* chosen_amx, int count)
      : kernels(chosen), amx(chosen_amx), threads(count) {}
  const quovadis::Kernels& kernels;
  const quovadis::AmxKernels* amx;  // null: none
  quovadis::Threads threads;
};

bool is_supported(const quovadis::Kernels& kernels) {
  if (&kernels == &quovadis::avx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma");
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool has_integers(const quovadis::Kernels& kernels) {
  return &kernels == &quovadis::avx512 && __builtin_cpu_supports("avx512vnni");
}

// Null where the compiler or the processor does not know AMX.
const quovadis::AmxKernels* supported_amx() {
#ifdef QUOVADIS_AMX
  if (quovadis::amx_kernels.is_supported()) return &quovadis::amx_kernels;
#endif
  return nullptr;
}

struct Choice {
  const char* name;
  const quovadis::Kernels* kernels;
  bool amx;
};

// Best first.
const Choice kAll[] = {
    {"amx", &quovadis::avx512, true}, {"avx512", &quovadis::avx512, false}, {"avx2", &quovadis::avx2, false}};

}  // namespace

#define EXPORT __attribute__((visibility("default")))

extern "C" {

// Null where this processor does not know the instruction set; "" is the best that it knows.
EXPORT Pool* quovadis_open(const char* instruction_set, int threads) {
  for (const Choice& choice : kAll) {
    if ((*instruction_set != 0 && std::strcmp(instruction_set, choice.name) != 0) || !is_supported(*choice.kernels))
      continue;
    const auto* amx = choice.amx && has_integers(*choice.kernels) ? supported_amx() : nullptr;
    if (choice.amx == (amx != nullptr)) return new Pool(*choice.kernels, amx, threads);
  }
  return nullptr;
}

EXPORT void quovadis_close(Pool* pool) { delete pool; }

EXPORT const char* quovadis_instruction_set(const Pool* pool) { return pool->kernels.name; }

// Whether the kernels on 8-bit feature maps can be called.
EXPORT int quovadis_has_integers(const Pool* pool) { return has_integers(pool->kernels); }

// Whether the kernels named amx can be called.
EXPORT int quovadis_has_amx(const Pool* pool) { return pool->amx != nullptr; }

EXPORT void quovadis_pointwise(Pool* pool, const View* x, std::int64_t channels, const float* weights, const float* bias,
                        std::int64_t out_channels, const View* y, int relu) {
  pool->kernels.pointwise(pool->threads, *x, channels, weights, bias, out_channels, *y, relu != 0);
}

EXPORT void quovadis_convolve3(Pool* pool, const View* x, std::int64_t channels, const float* weights, const float* bias,
                        std::int64_t out_channels, const View* y) {
  pool->kernels.convolve3(pool->threads, *x, channels, weights, bias, out_channels, *y);
}

EXPORT void quovadis_stem(Pool* pool, const View* x, int floats, const float* weights, const float* bias,
                   std::int64_t out_channels, const View* y, const Window* window) {
  pool->kernels.stem(pool->threads, *x, floats != 0, weights, bias, out_channels, *y, *window);
}

EXPORT void quovadis_max_pool(Pool* pool, const View* x, std::int64_t channels, const View* y, const Window* window) {
  pool->kernels.max_pool(pool->threads, *x, channels, *y, *window);
}

EXPORT void quovadis_integer_pointwise(Pool* pool, const View* x, std::int64_t channels, const std::int16_t* weights,
                                       const float* scale, const float* bias, std::int64_t out_channels,
                                       const View* y) {
  quovadis::integer_kernels.pointwise(pool->threads, *x, channels, weights, scale, bias, out_channels, *y);
}

EXPORT void quovadis_integer_pointwise_bytes(Pool* pool, const View* x, std::int64_t channels,
                                             const std::int8_t* weights, const float* scale, const float* bias,
                                             std::int64_t out_channels, const View* y) {
  quovadis::integer_kernels.pointwise_bytes(pool->threads, *x, channels, weights, scale, bias, out_channels, *y);
}

EXPORT void quovadis_integer_pointwise_shorts(Pool* pool, const View* x, std::int64_t channels,
                                              const std::int16_t* weights, const float* scale, const float* bias,
                                              std::int64_t out_channels, const View* y) {
  quovadis::integer_kernels.pointwise_shorts(pool->threads, *x, channels, weights, scale, bias, out_channels, *y);
}

EXPORT void quovadis_integer_convolve3(Pool* pool, const View* x, std::int64_t channels, const std::int16_t* weights,
                                       const float* scale, const float* bias, std::int64_t out_channels,
                                       const View* y) {
  quovadis::integer_kernels.convolve3(pool->threads, *x, channels, weights, scale, bias, out_channels, *y);
}

EXPORT void quovadis_integer_stem(Pool* pool, const View* x, int floats, const std::int16_t* weights,
                                  const float* scale, const float* bias, std::int64_t out_channels, const View* y,
                                  const Window* window) {
  quovadis::integer_kernels.stem(pool->threads, *x, floats != 0, weights, scale, bias, out_channels, *y, *window);
}

EXPORT void quovadis_integer_max_pool(Pool* pool, const View* x, std::int64_t channels, const View* y,
                                      const Window* window) {
  quovadis::integer_kernels.max_pool(pool->threads, *x, channels, *y, *window);
}

EXPORT void quovadis_integer_max_pool_shorts(Pool* pool, const View* x, std::int64_t channels, const View* y,
                                             const Window* window) {
  quovadis::integer_kernels.max_pool_shorts(pool->threads, *x, channels, *y, *window);
}

EXPORT void quovadis_amx_pointwise(Pool* pool, const View* x, std::int64_t channels, const std::int8_t* weights,
                                   int bytes, const float* scale, const float* bias, std::int64_t out_channels,
                                   const View* y) {
  pool->amx->pointwise(pool->threads, *x, channels, weights, bytes != 0, scale, bias, out_channels, *y);
}

EXPORT void quovadis_amx_convolve3(Pool* pool, const View* x, std::int64_t channels, const std::int8_t* weights,
                                   int bytes, const float* scale, const float* bias, std::int64_t out_channels,
                                   const View* y) {
  pool->amx->convolve3(pool->threads, *x, channels, weights, bytes != 0, scale, bias, out_channels, *y);
}

EXPORT void quovadis_amx_stem(Pool* pool, const View* x, int floats, const std::int8_t* weights, const float* scale,
                              const float* bias, const float* halves, std::int64_t out_channels, const View* y,
                              const Window* window) {
  pool->amx->stem(pool->threads, *x, floats != 0, weights, scale, bias, halves, out_channels, *y, *window);
}
}
