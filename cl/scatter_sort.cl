/* clgrad-template 1 */
/* scatter_sort.cl -- a stable counting sort of indices: where each row's updates start, and the updates in that order.
 *
 * needs   INDEX: type of an index; COUNT indices a batch, ROWS rows, BATCHES
 *         x0: indices [BATCHES, COUNT]    x1: starts [BATCHES, ROWS + 2]    x2: order [BATCHES, COUNT]
 * launch  one share per batch: the order of equal indices is that of their places, so nothing here may race
 * bits    updates of row r are order[starts[r]] .. order[starts[r + 1] - 1], in increasing order; indices out of range are left out */
ENTRY
{
    PARAMS
    const long batch = ITEM;
    UNIFORM
    global const INDEX *index = x0 + batch * COUNT;
    global long *starts = x1 + batch * (ROWS + 2), *order = x2 + batch * COUNT;
    for (long r = 0; r < ROWS + 2; r++) starts[r] = 0;
    for (long i = 0; i < COUNT; i++)
        if ((ulong)index[i] < (ulong)ROWS) starts[index[i] + 2]++;
    for (long r = 2; r < ROWS + 2; r++) starts[r] += starts[r - 1];
    for (long i = 0; i < COUNT; i++)
        if ((ulong)index[i] < (ulong)ROWS) order[starts[index[i] + 1]++] = i;
}
