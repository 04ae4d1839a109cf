from agent.policies.passages import Hit, Sentence, hits, sentences, without_markers


def test_each_sentence_knows_its_definition() -> None:
    view = [
        "Functions",
        "",
        "copy(src, dst, *, follow_symlinks=True, a_very_long_parameter=None,",
        "another=<function f>)",
        "    Copy data and mode bits. Return the file's",
        "    destination.",
        "",
        "    See 【3†copytree】() too.",
        "",
        "disk_usage(path) -> tuple",
        "    Return disk usage statistics.",
        "",
        "Plain text again.",
    ]
    signature = "copy(src, dst, *, follow_symlinks=True, a_very_long_parameter=None, another=<function f>)"
    assert list(sentences(view)) == [
        Sentence("Functions", None, None, None, False),
        Sentence("Copy data and mode bits.", "copy", None, signature, True),
        Sentence("Return the file's destination.", "copy", None, signature, False),
        Sentence("See copytree() too.", "copy", None, signature, False),
        Sentence("Return disk usage statistics.", "disk_usage", None, "disk_usage(path) -> tuple", True),
        Sentence("Plain text again.", None, None, None, False),
    ]


def test_a_sentence_that_begins_like_a_call_is_no_definition() -> None:
    [sentence] = sentences(["print(x) shows x on the screen."])
    assert sentence == Sentence("print(x) shows x on the screen.", None, None, None, False)


def test_results_in_view() -> None:
    lines = ["【0†shutil†pydoc.localhost】", "copytree(src, dst) Copy a", "tree.", "", "【1†os†pydoc.localhost】", "", "【2†a"]
    assert hits(lines) == [Hit(0, "shutil", "copytree(src, dst) Copy a tree."), Hit(1, "os", "【2†a")]


def test_markers_are_replaced_by_the_text_of_the_link() -> None:
    assert without_markers("see (【12†os†docs.python.org】) and 【3†it】.") == "see (os) and it."
