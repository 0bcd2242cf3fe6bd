// What a kernel takes. Feature maps are frame, row, column, channel; frames are counted from the first of the video.
#pragma once

#include <cstdint>

#include "threads.hpp"

extern "C" {

// Frames `first` … `end` - 1 of a feature map; frames and pixels outside are padding.
struct View {
  void* data;  // channel 0 of the first frame's first pixel
  std::int64_t first, end;
  std::int64_t height, width;
  std::int64_t stride;  // values from one pixel to the next
};

struct Window {
  std::int64_t kernel[3], step[3], padding[3];  // time, height, width; padding is what comes before
};
}

namespace quovadis {

// One instruction set's kernels.
struct Kernels {
  const char* name;
  void (*pointwise)(Threads&, const View& x, std::int64_t channels, const float* weights, const float* bias,
                    std::int64_t out_channels, const View& y, bool relu);
  void (*convolve3)(Threads&, const View& x, std::int64_t channels, const float* weights, const float* bias,
                    std::int64_t out_channels, const View& y);
  // `floats` says whether pixels are floats or bytes.
  void (*stem)(Threads&, const View& x, bool floats, const float* weights, const float* bias,
               std::int64_t out_channels, const View& y, const Window& window);
  void (*max_pool)(Threads&, const View& x, std::int64_t channels, const View& y, const Window& window);
};

// Kernels on 8-bit feature maps; what the stem makes, and kernels for shorts take, has 15 bits. A convolution's sum is scaled for each point and channel, then the bias is added.
struct IntegerKernels {
  void (*pointwise)(Threads&, const View& x, std::int64_t channels, const std::int16_t* weights, const float* scale,
                    const float* bias, std::int64_t out_channels, const View& y);
  void (*pointwise_bytes)(Threads&, const View& x, std::int64_t channels, const std::int8_t* weights,
                          const float* scale, const float* bias, std::int64_t out_channels, const View& y);
  void (*pointwise_shorts)(Threads&, const View& x, std::int64_t channels, const std::int16_t* weights,
                           const float* scale, const float* bias, std::int64_t out_channels, const View& y);
  void (*convolve3)(Threads&, const View& x, std::int64_t channels, const std::int16_t* weights, const float* scale,
                    const float* bias, std::int64_t out_channels, const View& y);
  void (*stem)(Threads&, const View& x, bool floats, const std::int16_t* weights, const float* scale,
               const float* bias, std::int64_t out_channels, const View& y, const Window& window);
  void (*max_pool)(Threads&, const View& x, std::int64_t channels, const View& y, const Window& window);
  void (*max_pool_shorts)(Threads&, const View& x, std::int64_t channels, const View& y, const Window& window);
};

// Convolutions of 8-bit feature maps and of pixels on the matrix unit. Weights have 16 bits, as two bytes, or 8 where
// `bytes` says so.
struct AmxKernels {
  bool (*is_supported)();
  void (*pointwise)(Threads&, const View& x, std::int64_t channels, const std::int8_t* weights, bool bytes,
                    const float* scale, const float* bias, std::int64_t out_channels, const View& y);
  void (*convolve3)(Threads&, const View& x, std::int64_t channels, const std::int8_t* weights, bool bytes,
                    const float* scale, const float* bias, std::int64_t out_channels, const View& y);
  void (*stem)(Threads&, const View& x, bool floats, const std::int8_t* weights, const float* scale,
               const float* bias, const float* halves, std::int64_t out_channels, const View& y, const Window& window);
};

}  // namespace quovadis
