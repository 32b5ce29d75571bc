"""Completion scripts for bash, zsh and fish from plain data about the commands."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: What a value may be: a path, a shim or pack, or nothing that could be listed.
FILES, SHIMS, NOTHING = "files", "shims", ""


@dataclass(frozen=True)
class Option:
    """An option: its names, its help, and its value's kind (None: it takes none)."""

    names: tuple[str, ...]
    told: str
    kind: str | None
    choices: tuple[str, ...]
    is_many: bool


@dataclass(frozen=True)
class Command:
    """Its name ("data info" of a command's own), help, options, and positional argument."""

    name: str
    told: str
    options: tuple[Option, ...]
    positional: str | tuple[str, ...]

    @property
    def flags(self) -> list[str]:
        """Every name of every option."""
        return [name for option in self.options for name in option.names]


def _first(commands: Sequence[Command]) -> list[Command]:
    """Return the commands themselves, without those of a command."""
    return [one for one in commands if " " not in one.name]


def _nested(commands: Sequence[Command]) -> list[Command]:
    """Return the commands of a command."""
    return [one for one in commands if " " in one.name]


def _case(command: Command) -> str:
    """Return the name as a pattern of ``case``."""
    return f'"{command.name}"' if " " in command.name else command.name


def _plain(text: str) -> str:
    """Return the text without what one of the shells would read as its own."""
    return re.sub(r"[^\w ,.;()/=-]", "", text)


# ---- bash

_BASH = """\
# Completion of shimhub for bash; load it with: eval "$(shimhub completion bash)"
_shimhub_words() {{
    local IFS=$'\\n'
    COMPREPLY=($(compgen -W "$("${{COMP_WORDS[0]}}" completion --words 2>/dev/null)" -- "$1"))
}}
_shimhub_files() {{
    local IFS=$'\\n'
    COMPREPLY=($(compgen -f -- "$1"))
    compopt -o filenames 2>/dev/null
}}
_shimhub_program() {{
    local place word
    for ((place = 2; place < COMP_CWORD; place++)); do
        word=${{COMP_WORDS[place]}}
        case $word in
            {valued}) ((place++)); [[ ${{COMP_WORDS[place]}} == "=" ]] && ((place++)) ;;
            --?*) ;;
            *) return 0 ;;
        esac
    done
    return 1
}}
_shimhub() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
    local command=${{COMP_WORDS[1]}}
    case "$((COMP_CWORD > 2)) $command ${{COMP_WORDS[2]}}" in
        {nested}) command="$command ${{COMP_WORDS[2]}}" ;;
    esac
    COMPREPLY=()
    if [[ $COMP_CWORD == 1 ]]; then
        COMPREPLY=($(compgen -W "{commands}" -- "$current"))
        return
    fi
    if [[ $command == run ]] && _shimhub_program; then
        _shimhub_files "$current"
        return
    fi
    [[ $current == "=" ]] && current=
    [[ $before == "=" ]] && before=${{COMP_WORDS[COMP_CWORD - 2]}}
    case "$command $before" in
{values}    esac
    case $command in
{cases}    esac
}}
complete -F _shimhub shimhub
"""


def bash(commands: Sequence[Command]) -> str:
    """Return the script for bash, 3.2 or later."""
    values = [
        f"        {_bash_pattern(one.name, option)}) {_bash_value(option)}; return ;;\n"
        for one in commands
        for option in one.options
        if option.kind is not None
    ]
    return _BASH.format(
        commands=" ".join(one.name for one in _first(commands)),
        nested="|".join(f'"1 {one.name}"' for one in _nested(commands)) or "-",
        valued="|".join(_valued(commands)),
        values="".join(values),
        cases="".join(_bash_case(one) for one in commands),
    )


def _bash_pattern(command: str, option: Option) -> str:
    return "|".join(f'"{command} {name}"' for name in option.names)


def _bash_value(option: Option) -> str:
    return _bash_reply(option.choices or option.kind or NOTHING) or ":"


def _bash_reply(kind: str | tuple[str, ...]) -> str:
    if isinstance(kind, tuple):
        return f'COMPREPLY=($(compgen -W "{" ".join(kind)}" -- "$current"))'
    calls = {FILES: '_shimhub_files "$current"', SHIMS: '_shimhub_words "$current"'}
    return calls.get(kind, "")


def _bash_case(command: Command) -> str:
    flags, rest = _bash_reply(tuple(command.flags)), _bash_reply(command.positional)
    if rest:
        flags = f"if [[ $current == -* ]]; then {flags}; else {rest}; fi"
    return f"        {_case(command)}) {flags} ;;\n"


# ---- zsh

_ZSH = """\
#compdef shimhub
# Completion of shimhub for zsh; load it with: eval "$(shimhub completion zsh)"
_shimhub_words() {{
    local -a found
    found=(${{(f)"$($_shimhub_program completion --words 2>/dev/null)"}})
    compadd -a found
}}
_shimhub() {{
    local _shimhub_program=$words[1]
    local -a commands
    commands=(
{commands}    )
    if (( CURRENT == 2 )); then
        _describe -t commands command commands
        return
    fi
    shift words
    (( CURRENT-- ))
    local name=$words[1]
    case "$(( CURRENT > 2 )) $words[1] $words[2]" in
        {nested}) name="$words[1] $words[2]"; shift words; (( CURRENT-- )) ;;
    esac
    case $name in
{cases}    esac
}}
if [[ $funcstack[1] == _shimhub ]]; then
    _shimhub "$@"
else
    compdef _shimhub shimhub
fi
"""


def zsh(commands: Sequence[Command]) -> str:
    """Return the script for zsh; it is sourced, or found on fpath as ``_shimhub``."""
    return _ZSH.format(
        commands="".join(f"        '{one.name}:{_plain(one.told)}'\n" for one in _first(commands)),
        nested="|".join(f'"1 {one.name}"' for one in _nested(commands)) or "-",
        cases="".join(_zsh_case(one) for one in commands),
    )


def _zsh_case(command: Command) -> str:
    specs = [_zsh_spec(option, name) for option in command.options for name in option.names]
    if command.name == "run":
        # Behind the program all words belong to the program.
        lines = ["_arguments -A '-*'", *specs, "'*:file:_files'"]
    else:
        lines = ["_arguments", *specs, f"'*:argument:{_zsh_value(command.positional)}'"]
    return f"        {_case(command)}) " + " \\\n            ".join(lines) + " ;;\n"


def _zsh_spec(option: Option, name: str) -> str:
    head = f"{'*' if option.is_many else ''}{name}[{_plain(option.told)}]"
    value = "" if option.kind is None else f":value:{_zsh_value(option.choices or option.kind)}"
    return f"'{head}{value}'"


def _zsh_value(kind: str | tuple[str, ...]) -> str:
    if isinstance(kind, tuple):
        return f"({' '.join(kind)})"
    return {FILES: "_files", SHIMS: "_shimhub_words"}.get(kind, " ")


# ---- fish

_FISH = """\
# Completion of shimhub for fish; load it with: shimhub completion fish | source
function __shimhub_words
    set -l tokens (commandline -opc)
    $tokens[1] completion --words 2>/dev/null
end
function __shimhub_in
    set -l tokens (commandline -opc)
    test (count $tokens) -gt (count $argv); or return 1
    set -l words $tokens[2..-1]
    set -l last (count $argv)
    test "$words[1..$last]" = "$argv"
end
function __shimhub_second
    __shimhub_in $argv; and test (count (commandline -opc)) -eq 2
end
function __shimhub_first
    test (count (commandline -opc)) -eq 1
end
function __shimhub_before_program
    __shimhub_in run; or return 1
    set -l tokens (commandline -opc)
    set -l is_value 0
    for token in $tokens[3..-1]
        if test $is_value = 1
            set is_value 0
        else if contains -- $token {valued}
            set is_value 1
        else if not string match -q -- '--?*' $token
            return 1
        end
    end
end
complete -c shimhub -f
complete -c shimhub -n '__shimhub_in run' -F
{lines}"""


def fish(commands: Sequence[Command]) -> str:
    """Return the script for fish, 3.1 or later."""
    lines = [
        f"complete -c shimhub -n __shimhub_first -a {one.name} -d '{_plain(one.told)}'\n"
        for one in _first(commands)
    ]
    parents = {one.name.split()[0] for one in _nested(commands)}
    for one in commands:
        place = "__shimhub_before_program" if one.name == "run" else f"__shimhub_in {one.name}"
        lines += [_fish_option(place, option) for option in one.options]
        if words := _fish_words(one.positional):
            place = f"__shimhub_second {one.name}" if one.name in parents else place
            lines.append(f"complete -c shimhub -n '{place}' {words}\n")
    return _FISH.format(valued=" ".join(_valued(commands)), lines="".join(lines))


def _fish_option(place: str, option: Option) -> str:
    names = [
        f"-{'l' if name.startswith('--') else 's'} {name.lstrip('-')}" for name in option.names
    ]
    value = ""
    if option.kind is not None:
        words = _fish_words(option.choices or option.kind)
        value = " -r -F" if option.kind == FILES else f" -x {words}"
    told = f" -d '{_plain(option.told)}'" if option.told else ""
    return f"complete -c shimhub -n '{place}' {' '.join(names)}{value.rstrip()}{told}\n"


def _fish_words(kind: str | tuple[str, ...]) -> str:
    if isinstance(kind, tuple):
        return f"-a '{' '.join(kind)}'"
    return {FILES: "-F", SHIMS: "-a '(__shimhub_words)'"}.get(kind, "")


def _valued(commands: Sequence[Command]) -> list[str]:
    """Return the options of ``run`` that take a value."""
    run = next(one for one in commands if one.name == "run")
    return [name for one in run.options if one.kind is not None for name in one.names]


SCRIPTS: dict[str, Callable[[Sequence[Command]], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
