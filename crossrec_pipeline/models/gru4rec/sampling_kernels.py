"""Probabilities and item numbers in; fast draws and distinct items out (compiled, for the CPU)."""

import numpy as np

from crossrec_pipeline.kernels import kernel


@kernel()
def alias_table(probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Prepare draws in constant time (Walker 1977; Vose 1991).

    Each item has a cell of equal width. The cell is the item's up to `keep` and `alias`'s from
    there on.

    Parameters
    ----------
    probability
        Float64 [n], with sum 1.

    Returns
    -------
    keep, alias
        Float32 [n] in 0 … 1, and int32 [n].
    """
    n = len(probability)
    keep = probability * n
    alias = np.arange(n, dtype=np.int32)
    poor, rich = np.empty(n, np.int64), np.empty(n, np.int64)
    n_poor = n_rich = 0
    for item in range(n):
        if keep[item] < 1:
            poor[n_poor] = item
            n_poor += 1
        else:
            rich[n_rich] = item
            n_rich += 1
    while n_poor and n_rich:
        n_poor -= 1
        taker, giver = poor[n_poor], rich[n_rich - 1]
        alias[taker] = giver
        keep[giver] -= 1 - keep[taker]
        if keep[giver] < 1:
            n_rich -= 1
            poor[n_poor] = giver
            n_poor += 1
    # Rounding leaves some that neither give nor take: a full cell each.
    keep[poor[:n_poor]] = 1
    keep[rich[:n_rich]] = 1
    return keep.astype(np.float32), alias


@kernel()
def draw_from_alias_table(keep: np.ndarray, alias: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Turn numbers, uniform in 0 … 1 (1 excluded), into items, int64."""
    n = len(keep)
    drawn = np.empty(len(uniform), np.int64)
    for k in range(len(uniform)):
        place = uniform[k] * n
        cell = int(place)
        drawn[k] = cell if place - cell < keep[cell] else alias[cell]
    return drawn


@kernel()
def number_items(
    read: np.ndarray, n_first: int, number: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Give distinct items numbers, in the order in which they first come.

    Parameters
    ----------
    read
        Items, some of them repeatedly, int64 [M].
    n_first
        How many of `read` to count the distinct ones among.
    number
        Scratch of -1 for every item, int32 [n_items]; it is left as it was.

    Returns
    -------
    items, number_of, n_distinct_first
        Distinct items, int64 [R]; the number of each of `read`, int64 [M]; distinct items among
        the first `n_first`.
    """
    items, number_of = np.empty(len(read), np.int64), np.empty(len(read), np.int64)
    n = n_distinct_first = 0
    for k in range(len(read)):
        if k == n_first:
            n_distinct_first = n
        item = read[k]
        if number[item] < 0:
            number[item] = n
            items[n] = item
            n += 1
        number_of[k] = number[item]
    if n_first >= len(read):
        n_distinct_first = n
    for k in range(n):
        number[items[k]] = -1
    return items[:n], number_of, n_distinct_first


@kernel()
def columns_of_own_session(
    batch_sizes: np.ndarray, target_column: np.ndarray, column: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find candidates that a step has for nothing but further targets of a prediction's session.

    Parameters
    ----------
    batch_sizes
        Sessions at each time step, non-increasing, int64 [T]; see `Window`.
    target_column
        Column of each prediction's target, in packed order, int64 [N].
    column
        Column of everything that the candidates are made of, `target_column` and the draws,
        int64 [M].

    Returns
    -------
    rows, columns
        A prediction and a column of another target of its session, which nothing else of `column`
        is; pairs may come twice. int64 each.
    """
    n_steps = len(batch_sizes)
    room = len(target_column) * (n_steps - 1) if n_steps > 1 else 0
    rows, columns = np.empty(room, np.int64), np.empty(room, np.int64)
    if room == 0:
        return rows, columns
    n_times = np.zeros(column.max() + 1, np.int64)
    for k in column:
        n_times[k] += 1
    begins = np.zeros(n_steps, np.int64)
    begins[1:] = np.cumsum(batch_sizes)[:-1]
    n = 0
    for session in range(batch_sizes[0]):
        length = 1
        while length < n_steps and batch_sizes[length] > session:
            length += 1
        for step in range(length):
            of_step = target_column[begins[step] + session]
            n_own = 0
            for other in range(length):
                n_own += target_column[begins[other] + session] == of_step
            if n_times[of_step] > n_own:
                continue
            for other in range(length):
                row = begins[other] + session
                if target_column[row] != of_step:
                    rows[n], columns[n] = row, of_step
                    n += 1
    return rows[:n], columns[:n]
