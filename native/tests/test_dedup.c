/* Tests of dedup. */
#include "check.h"

void test_dedup(void)
{
}
