/* Tests of hash. */
#include "check.h"

void test_hash(void)
{
}
