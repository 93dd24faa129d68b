// Ordered loads and stores on words of a shared mapping: Swift's Atomic types cannot be laid over raw memory. And what
// Swift has no word for: stores past the caches, prefetches, memory that the kernel gives zeroed.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static inline void gemel_store_release(void *word, uint64_t value) {
    __atomic_store_n((uint64_t *)word, value, __ATOMIC_RELEASE);
}

static inline uint64_t gemel_load_acquire(const void *word) {
    return __atomic_load_n((const uint64_t *)word, __ATOMIC_ACQUIRE);
}

static inline void gemel_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/// Copies 4096 bytes past the caches: nobody here reads the target again. Both ends are aligned to 16 bytes. What is
/// stored after it is ordered behind it only by `gemel_copy_fence`.
static inline void gemel_copy_page(void *to, const void *from) {
    typedef long long word __attribute__((vector_size(16)));
    const word *source = (const word *)from;
    word *target = (word *)to;
    for (int i = 0; i < 256; i += 4) {
        word a = source[i], b = source[i + 1], c = source[i + 2], d = source[i + 3];
        __builtin_nontemporal_store(a, target + i);
        __builtin_nontemporal_store(b, target + i + 1);
        __builtin_nontemporal_store(c, target + i + 2);
        __builtin_nontemporal_store(d, target + i + 3);
    }
}

/// Everything that `gemel_copy_page` stored is visible before what is stored after this.
static inline void gemel_copy_fence(void) {
#if defined(__x86_64__)
    __builtin_ia32_sfence();
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/// Says that the cache line will be wanted soon. Any address will do.
static inline void gemel_prefetch(const void *line) { __builtin_prefetch(line, 1, 3); }

/// `bytes` zeros, of which those that are never touched cost nothing; ends the process when there is no memory.
static inline void *gemel_zeroed(size_t bytes) {
    void *memory = calloc(1, bytes);
    if (!memory) abort();
    return memory;
}
static inline void gemel_free(void *memory) { free(memory); }
