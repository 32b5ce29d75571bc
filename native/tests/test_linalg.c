/* Tests of linalg. */
#include "check.h"

void test_linalg(void)
{
}
