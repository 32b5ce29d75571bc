"""What a configuration of speed may say, and what is told of one that is wrong."""

from __future__ import annotations

import pytest

from shimhub.speed import SpeedConfigError
from shimhub.speed.config import CompileConfig, SpeedConfig


def made(**keys):
    """Read a configuration without variables."""
    return SpeedConfig.from_dict(keys, environ={})


def refused(keys):
    """Return what is told of a wrong configuration."""
    with pytest.raises(SpeedConfigError) as caught:
        SpeedConfig.from_dict(keys, environ={})
    return caught.value.problems


def test_what_is_set_is_kept_and_the_rest_is_unset():
    """A key that is named has its value; every other one is None."""
    config = made(precision="auto", compile={"enabled": "auto"})
    assert "auto" == config.precision
    assert CompileConfig(enabled="auto") == config.compile
    assert SpeedConfig(precision="auto", compile=CompileConfig(enabled="auto")) == config
    assert {"precision": "auto", "compile": {"enabled": "auto"}} == config.to_dict()


def test_all_mistakes_are_told_at_once():
    """Each line begins with the key's place, and has a suggestion where there is one."""
    assert (
        "precison: no such key (did you mean 'precision'?)",
        "precision: 'bfloat16' is not auto, fp32, bf16 or fp16 (did you mean 'bf16'?)",
        "train.epochs: 0 is not a whole number, 1 or more",
    ) == refused({"precison": "auto", "precision": "bfloat16", "train": {"epochs": 0}})
