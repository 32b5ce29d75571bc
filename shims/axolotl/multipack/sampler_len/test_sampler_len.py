"""How many batches there are, without axolotl: draws, totals and the batches that are kept."""

from __future__ import annotations

import pytest

from shimhub import Raised
from tests.axolotl import without

np = pytest.importorskip("numpy")
RULES = {
    "keeps_batches": True,
    "most_processes": 16,
    "start_method": "fork",
    "limits_processes": True,
    "logs_time": True,
    "bin_size_may_be_none": True,
    "drops_from_totals": True,
}


class Sampler:
    """The attributes of axolotl's, with a sampler that counts its draws."""

    num_count_samples, batch_size, batch_max_len, bin_size, group_size = 3, 2, 10, None, 100
    num_processes, mp_start_method, safe_mode, sequential, drop_last = (
        None,
        "fork",
        True,
        False,
        True,
    )
    total_tokens_used = total_token_slots = eff_total_used = eff_total_slots = 0
    _batches = _len_across_ranks = len_across_ranks = None

    def __init__(self, lengths, **options):
        self.lengths, self.sampler, self.draws = np.array(lengths, np.int32), self, 0
        vars(self).update(options)

    def __iter__(self):
        self.draws += 1
        return iter([*range(len(self.lengths))][:: 1 if self.draws % 2 else -1])

    def gather_len_batches(self, count):
        return count

    def generate_batches(self, set_stats=False):
        return ["made"]


build = without.building(__file__, owner=Sampler, **RULES)


def test_each_count_is_a_draw_and_the_last_one_is_kept():
    """One draw for the totals, one for each count; the dropped batch is in no total."""
    sampler = Sampler([6, 6, 6, 4, 3])
    assert 1 == build()(sampler)
    assert (4, [[[4, 3], [2]], [[1], [0]]]) == (sampler.draws, sampler._batches)
    assert (19, 20) == (sampler.total_tokens_used, sampler.total_token_slots)
    assert 1 == build()(sampler)
    assert 4 == sampler.draws


def test_up_to_018_the_dropped_batch_stays_in_the_totals_and_the_only_one_is_an_error():
    """Bug for bug: the last of no batches is looked at."""
    sampler = Sampler([6, 6, 6, 4, 3])
    assert 1 == build(drops_from_totals=False)(sampler)
    assert (25, 30) == (sampler.total_tokens_used, sampler.total_token_slots)
    with pytest.raises(Raised, match="IndexError: list index out of range"):
        build(drops_from_totals=False)(Sampler([6]))
    assert 0 == build()(Sampler([6]))


def test_up_to_08_every_draw_is_in_the_totals():
    """No batches are kept there, and none is dropped."""
    sampler = Sampler([6, 6, 6, 4, 3])
    assert 2 == build(keeps_batches=False)(sampler)
    assert (3, 75) == (sampler.draws, sampler.eff_total_used)


def test_batches_are_made_anew_where_only_the_length_is_known():
    """A new epoch forgets batches, not their number."""
    sampler = Sampler([6], _len_across_ranks=5)
    assert 5 == build()(sampler)
    assert ["made"] == sampler._batches
