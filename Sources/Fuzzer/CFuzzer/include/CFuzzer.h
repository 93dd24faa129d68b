#pragma once
// The entry of libFuzzer for programs with a main of their own; part of the toolchain's fuzzing runtime.
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*one)(const uint8_t *data, size_t size));
