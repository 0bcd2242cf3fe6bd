// Matrix products on the tile registers of AMX: 32 rows of bytes with 16 outputs' weights of two bytes, or 32 of one.
#pragma once

#include "integers.hpp"

namespace quovadis {
namespace {

constexpr int64_t ROWS = 16, DEPTH = 64, BLOCK = 2 * ROWS;
constexpr int64_t TILE_BYTES = ROWS * DEPTH;

// Makes the tile registers of this thread 16 rows of 64 bytes, as long as it lives.
class TileRegisters {
 public:
  TileRegisters() {
    alignas(64) std::uint8_t shapes[64] = {1};
    for (int i = 0; i < 8; ++i) {
      shapes[16 + 2 * i] = DEPTH;
      shapes[48 + i] = ROWS;
    }
    // The compiler does not know that the instruction reads them.
    asm volatile("ldtilecfg %0" ::"m"(shapes));
  }
  ~TileRegisters() { _tile_release(); }
};

// Two functions, since a tile's number is part of an instruction's text: it can be no argument, of a template either.
template <bool SIGNED>
inline void multiply_tile_of_rows_0() {
  if constexpr (SIGNED) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
  } else {
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
  }
}

template <bool SIGNED>
inline void multiply_tile_of_rows_1() {
  if constexpr (SIGNED) {
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  } else {
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
  }
}

// The sums of one row of what `multiply` stored.
inline Vec sum_of_row(const std::int32_t* sums, int64_t r) {
  const std::int32_t* upper = sums + r / ROWS * 512 + r % ROWS * LANES;
  return to_float(_mm512_loadu_si512(upper)) * 256.f + to_float(_mm512_loadu_si512(upper + 256));
}

// What is left to do with a block's sums: `Finish::row` takes the sums and a row's number, for all rows in turn. It is
// done a few rows at a time while the matrix unit multiplies the next block, which may store its sums in the same place.
template <class Finish>
class Pending {
 public:
  void begin(const std::int32_t* sums, int64_t count, const Finish& finish) {
    sums_ = sums;
    count_ = count;
    row_ = 0;
    finish_ = finish;
  }
  void some() { rows(std::min(row_ + AT_ONCE, count_)); }
  void rest() { rows(count_); }

 private:
  static constexpr int64_t AT_ONCE = 8;
  void rows(int64_t end) {
    for (; row_ < end; ++row_) finish_.row(sums_, row_);
  }
  const std::int32_t* sums_ = nullptr;
  int64_t row_ = 0, count_ = 0;
  Finish finish_;
};

// Adds to the sums of a block of rows, or begins them: with 16 outputs' upper bytes in the first tile of each 16 rows and
// their lower ones in the second, or with 16 outputs in either. Each of `places`, counted in bytes, is where 64 bytes of
// a row are. `is_whole` says whether there are more than 16 rows.
template <bool SIGNED, class Finish>
inline void multiply(const void* a, int64_t row, const int64_t* places, int64_t count, const std::int8_t* b,
                     bool is_whole, bool is_first, std::int32_t* sums, Pending<Finish>& pending) {
  // The compiler does not know that the instructions below read memory.
  asm volatile("" ::: "memory");
  const char* rows = static_cast<const char*>(a);
  if (is_first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, sums, 64);
    _tile_loadd(1, sums + 256, 64);
    _tile_loadd(2, sums + 512, 64);
    _tile_loadd(3, sums + 768, 64);
  }
  for (int64_t k = 0; k < count; ++k, b += 2 * TILE_BYTES) {
    _tile_loadd(4, rows + places[k], row);
    _tile_loadd(6, b, 64);
    _tile_loadd(7, b + TILE_BYTES, 64);
    multiply_tile_of_rows_0<SIGNED>();
    if (is_whole) {
      _tile_loadd(5, rows + places[k] + ROWS * row, row);
      multiply_tile_of_rows_1<SIGNED>();
    }
    pending.some();
  }
  pending.rest();
  _tile_stored(0, sums, 64);
  _tile_stored(1, sums + 256, 64);
  _tile_stored(2, sums + 512, 64);
  _tile_stored(3, sums + 768, 64);
  asm volatile("" ::: "memory");
}

}  // namespace
}  // namespace quovadis
