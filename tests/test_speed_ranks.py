"""Ranks agree by the store of their group, within a deadline."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

torch = pytest.importorskip("torch")
if not torch.distributed.is_available():
    pytest.skip("this torch has no torch.distributed", allow_module_level=True)

from shimhub.speed.ranks import (  # noqa: E402
    PATIENCE,
    Alone,
    Ranks,
    RanksDifferError,
    digest_of,
    ranks_of,
)


def together(*works, patience=5.0):
    """Run a work for each rank at once; returns what each came to, or its error's text."""
    store = torch.distributed.HashStore()
    ranks = [Ranks(store, rank, len(works), patience) for rank in range(len(works))]

    def tried(work, rank):
        try:
            return work(rank)
        except RanksDifferError as error:
            rank.leave(str(error))
            return str(error)

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(tried, works, ranks))


def test_all_get_what_rank_0_offers():
    """The offer of rank 0 is everybody's, whatever they would have offered."""
    works = [lambda rank: rank.join("1", "same", f"offer of {rank.rank}")] * 3
    assert ["offer of 0"] * 3 == together(*works)


def test_a_rank_with_another_digest_ends_it_for_all():
    """Every rank hears which one is odd."""
    works = [lambda rank: rank.join("1", f"digest {rank.rank // 2}", "")] * 3
    assert ["rank 2 has other settings, optimizers or versions"] * 3 == together(*works)


def test_a_rank_that_does_not_come_ends_it_for_all():
    """Who waits names what it waited for; nobody waits for ever."""
    works = [lambda rank: rank.join("1", "same", ""), lambda rank: "elsewhere"]
    found = together(*works, patience=0.2)
    assert "rank 0 waited 0.2 s for '1/1': ranks do not step together" == found[0]


def test_rank_0_decides():
    """What others would decide is not asked."""
    works = [lambda rank: rank.follow("1/1", f"decision of {rank.rank}")] * 3
    assert ["decision of 0"] * 3 == together(*works)


def test_a_rank_that_left_is_heard_of_at_the_next_decision():
    """Its reason reaches rank 0, and through the store the others."""

    def leave(rank):
        rank.leave("its optimizer is gone")
        return "left"

    def follow(rank):
        while not rank._store.check(["left"]):
            pass
        return rank.follow("1/1", "keep")

    assert ["its optimizer is gone", "left", "its optimizer is gone"] == together(
        follow, leave, follow
    )


def test_a_process_alone_agrees_with_itself():
    """Without other ranks nothing is asked of a store."""
    alone = ranks_of({})
    assert isinstance(alone, Alone)
    assert ("offer", "keep", None) == (
        alone.join("1", "digest", "offer"),
        alone.follow("1/1", "keep"),
        alone.leave("reason"),
    )


def test_ranks_without_a_group_are_not_measured():
    """A launcher that told a size, and no process group: who is there cannot be asked."""
    with pytest.raises(RanksDifferError, match="WORLD_SIZE is 2 and torch"):
        ranks_of({"WORLD_SIZE": "2"})
    assert isinstance(ranks_of({"WORLD_SIZE": "1"}), Alone)


def test_digests_are_of_content():
    """Order of keys does not count, values do; what JSON does not know counts by its repr."""
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    assert digest_of([1]) != digest_of([2])
    assert digest_of([int]) != digest_of([float])


@pytest.mark.parametrize(("timeout", "patience"), [(1800, PATIENCE), (4, 1.0)])
def test_ranks_wait_less_than_the_groups_collectives(timeout, patience, monkeypatch):
    """A rank that waits here keeps others waiting in their step, which gives up after a while."""
    wait = timedelta(seconds=timeout)
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1, timeout=wait)
    try:
        monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
        assert patience == ranks_of({})._patience
    finally:
        torch.distributed.destroy_process_group()
