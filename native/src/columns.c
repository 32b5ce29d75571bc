/* Columns. */
#include "shimhub/columns.h"

shimhub_status shimhub_column_check(const shimhub_column *column, int64_t *row)
{
    (void)column, (void)row;
    return SHIMHUB_BAD_ARGUMENT;
}
