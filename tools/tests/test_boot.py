"""How command lines are spelt for each loader."""

from pathlib import Path

import pytest

from trapeze import HostError, demo
from trapeze.boot import Boot, Module, grub_commands, plain, qemu_arguments
from trapeze.iso import grub_dependencies

LINE = 'name=a -- script="help; run sieve"'


def test_plain_quotes_a_word_whole_as_grub_does():
    assert plain(LINE) == 'name=a -- "script=help; run sieve"'


def test_grub_quotes_every_word():
    boot = Boot(Path("k"), "a b=1", (Module(Path("m"), LINE),))
    assert grub_commands(boot, "/k", ["/m"]) == [
        "multiboot2 /k 'a' 'b=1'", "module2 /m 'name=a' '--' 'script=help; run sieve'", "boot"]


def test_qemu_doubles_commas():
    boot = Boot(Path("k.elf"), "", (Module(Path("m"), "x=1,2"), Module(Path("n"))))
    assert qemu_arguments(boot) == ["-kernel", "k.elf", "-initrd", "m x=1,,2,n"]


@pytest.mark.parametrize("line", ['script="help', "it's"])
def test_malformed_lines_are_refused(line):
    with pytest.raises(HostError):
        grub_commands(Boot(Path("k"), line), "/k", [])


def test_words_go_in_front():
    assert Boot(Path("k"), "b").with_words("a", "").cmdline == "a b"
    assert Boot(Path("k")).with_words("a").cmdline == "a"


def test_grub_dependencies_are_transitive(tmp_path):
    (tmp_path / "moddep.lst").write_text("multiboot2: boot video\nvideo: fb\nboot:\nother: x\n")
    assert sorted(grub_dependencies(tmp_path, "multiboot2")) == ["boot", "fb", "multiboot2",
                                                                 "video"]


def test_guests_have_names_memory_and_words(build):
    guests = demo.parse_guests("endings b2=endings:mem=64M,pages=2M", 1)
    assert [guest.module("").cmdline for guest in guests] == [
        "name=a mem=32M", "name=b2 mem=64M pages=2M"]
    assert guests[0].module("ps; poweroff").cmdline.endswith('-- script="ps; poweroff"')


@pytest.mark.parametrize("text, word", [("nosuch", "neither"), ("a=endings a=endings", "two"),
                                        (":", "form"), ('"', "GUESTS")])
def test_bad_guests_are_refused(build, text, word):
    with pytest.raises(HostError, match=word):
        demo.parse_guests(text, 1)
