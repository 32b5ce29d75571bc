/* Tests of columns. */
#include "check.h"

void test_columns(void)
{
}
