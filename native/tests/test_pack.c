/* Tests of pack. */
#include "check.h"

void test_pack(void)
{
}
