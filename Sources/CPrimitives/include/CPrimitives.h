// Ordered loads and stores on words of a shared mapping: Swift's Atomic types cannot be laid over raw memory.
#pragma once
#include <stdint.h>

static inline void gemel_store_release(void *word, uint64_t value) {
    __atomic_store_n((uint64_t *)word, value, __ATOMIC_RELEASE);
}

static inline uint64_t gemel_load_acquire(const void *word) {
    return __atomic_load_n((const uint64_t *)word, __ATOMIC_ACQUIRE);
}

static inline void gemel_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
