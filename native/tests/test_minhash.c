/* Tests of minhash. */
#include "check.h"

void test_minhash(void)
{
}
