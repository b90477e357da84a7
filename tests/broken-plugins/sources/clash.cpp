// Needs another version of a library than the program that loads it.
#include "plain.hpp"

extern "C" int summa_clash();

static int32_t Create(const summa_host*, summa_plugin**, summa_error*) { return summa_clash(); }

PLAIN_PLUGIN(&Create)
