// Counts of the heap allocations of this process since it began. See count.c.
#pragma once

unsigned long gemel_count_allocations(void);
unsigned long gemel_count_frees(void);
