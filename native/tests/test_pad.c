/* Tests of pad. */
#include "check.h"

void test_pad(void)
{
}
