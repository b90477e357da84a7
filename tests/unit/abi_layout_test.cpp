// Structs of the ABI that have no struct_size never change within the revision of their interface:
// who is built with an older header walks arrays of them with the old stride.
#include <gtest/gtest.h>

#include <summa/abi/bus.h>
#include <summa/abi/log.h>
#include <summa/abi/metrics.h>
#include <summa/abi/projection.h>
#include <summa/abi/sql.h>

#include <cstddef>

namespace {

static_assert(sizeof(void*) != 8 || sizeof(summa_str) == 16);
static_assert(sizeof(void*) != 8 || sizeof(summa_sql_parameter) == 24);
static_assert(sizeof(void*) != 8 || sizeof(summa_log_field) == 32);
static_assert(sizeof(void*) != 8 || sizeof(summa_label) == 32);
static_assert(sizeof(summa_uuid) == 16);
static_assert(sizeof(void*) != 8 || sizeof(summa_bus_message) == 152);
static_assert(sizeof(summa_bus_receipt) == 256);
static_assert(sizeof(void*) != 8 || sizeof(summa_bus_delivery) == 192);
static_assert(sizeof(void*) != 8 || sizeof(summa_bus_dead_letter) == 232);
static_assert(sizeof(void*) != 8 || sizeof(summa_bus_stream) == 40);
static_assert(sizeof(void*) != 8 || sizeof(summa_bus_group) == 96);
static_assert(sizeof(void*) != 8 || sizeof(summa_bus_trimmed) == 64);
static_assert(sizeof(void*) != 8 || sizeof(summa_bus_left_out) == 56);

TEST(AbiLayout, SizesAreMultiplesOfEight) {
  // The conformance suite lends structs so that they end with a page.
  EXPECT_EQ(sizeof(summa_error) % 8, 0u);
  EXPECT_EQ(offsetof(summa_error, hint), sizeof(summa_error) - sizeof(summa_error::hint));
}

}  // namespace
