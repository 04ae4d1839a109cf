"""The viewer's pages in Chromium, opened from disk without network."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from agent.viewer.material import Material, read_material
from agent.viewer.site import write_site
from browser_env.records import Episode
from browser_env.records.storage import append_record, read_records

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., Any]

HASTY = "hasty"
FIRST_PAGE = ["index.html", "viewer.css", "viewer.js", "overview.js"]
MAX_BYTES = 2_000_000
ODD = quote("a/b#c%d __proto__", safe="")
PLACES = {
    "list": "",
    "filtered list": "?show=wrong&sort=steps",
    "episode": "crows/careful/4",
    "side by side": "crows/careful/4/{hasty}/2",
    "odd names": f"{ODD}/careful/5/{{hasty}}/1",
    "failed": "ravens/{hasty}/1",
    "budget": "endless/careful/12",
    "no such question": "no%20such/careful/1",
    "no address": "%E0%A4%A",
    "no such policy": "crows/nobody/1",
    "no such step": "crows/careful/999",
    "no such reference": "crows/careful/ref-9",
}


def place(name: str, site: Path) -> str:
    return PLACES[name].format(hasty=quote(policies(site)[1], safe=""))


def policies(site: Path) -> list[str]:
    text = (site / "overview.js").read_text("utf-8")
    names: list[str] = json.loads(text[text.index(",") + 1 : text.rindex(")")])["policies"]
    return names


def listed(page: "Page") -> list[str]:
    return [link.removesuffix("?").split(" ")[-1] for link in page.locator("[data-question]").all_inner_texts()]


def wait_for_address(page: "Page", end: str) -> None:
    # Not wait_for_url, which waits for a navigation event and misses one that came just before.
    page.wait_for_function("end => location.href.endsWith(end)", arg=end)


def focused(page: "Page") -> str:
    text: str = page.evaluate("document.activeElement.innerText")
    return " ".join(text.split())


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("name", PLACES)
def test_pages_have_no_errors_and_fit_the_window(visit: Open, site: Path, name: str, width: int) -> None:
    page = visit(site, width).open(place(name, site))
    page.wait_for_timeout(100)
    for details in page.locator("details > summary").all():
        details.click()
    for button in page.locator(".reference button").all():
        button.click()
    page.locator(".top button").click()
    assert page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("window.hacked") is None
    assert "undefined" not in page.locator("body").inner_text()
    assert "[object" not in page.locator("body").inner_text()


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return [0.2126 * x + 0.7152 * y + 0.0722 * z, a];
  };
  const low = [];
  for (const element of document.querySelectorAll("main *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || element.closest("option, [aria-hidden]") || !element.checkVisibility()) continue;
    let behind = element;
    while (behind.parentElement && !light(getComputedStyle(behind).backgroundColor)[1]) behind = behind.parentElement;
    const [a, b] = [light(getComputedStyle(element).color)[0], light(getComputedStyle(behind).backgroundColor)[0]];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(`${element.className}: ${element.innerText} ${ratio.toFixed(2)}`);
  }
  return low;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["list", "episode", "side by side", "failed", "budget"])
def test_all_text_has_enough_contrast(visit: Open, site: Path, name: str, scheme: str) -> None:
    page = visit(site, 1600, scheme).open(place(name, site))
    page.wait_for_timeout(100)
    assert page.evaluate(CONTRAST) == []


def test_light_and_dark_differ(visit: Open, site: Path) -> None:
    window = visit(site)
    page = window.open()
    color = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(color)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(color) != light


FILTERS: dict[str, tuple[str, list[str]]] = {
    "all": ("", ["bring", "markup", "count", "program", "bring", "everything"]),
    "wrong": ("show=wrong", ["bring", "markup", "count", "program", "bring", "everything"]),
    "unsupported": ("show=unsupported", ["bring"]),
    "ended by budget": ("show=budget", ["everything"]),
    "failed": ("show=failed", ["count"]),
    "differ": ("show=differ", ["bring", "count", "bring"]),
    "kind": ("kind=which", ["count", "program"]),
    "text": ("text=BRING+crows", ["bring"]),
    "text of no question": ("text=xyzzy", []),
    "id": ("text=ravens", ["count"]),
    "policy": ("policy=careful&show=no-answer", ["bring", "everything"]),
    "sorted": ("sort=text", ["count", "markup", "everything", "bring", "bring", "program"]),
    "sorted by steps": ("sort=steps", ["everything", "bring", "bring", "count", "markup", "program"]),
    "sorted by a figure": ("sort=metric:f1&kind=which", ["count", "program"]),
    "unknown": (
        "show=xyzzy&kind=xyzzy&sort=xyzzy&policy=xyzzy",
        ["bring", "markup", "count", "program", "bring", "everything"],
    ),
}


@pytest.mark.parametrize(("query", "expected"), FILTERS.values(), ids=FILTERS.keys())
def test_the_url_decides_the_filter_and_order_of_the_list(visit: Open, site: Path, query: str, expected: list[str]) -> None:
    page = visit(site).open(f"?{query}")
    assert listed(page) == expected


def test_filters_are_written_to_the_url(visit: Open, site: Path) -> None:
    page = visit(site).open()
    page.get_by_role("radio", name="Unsupported 1").check()
    wait_for_address(page, "#?show=unsupported")
    assert listed(page) == ["bring"]
    page.get_by_role("radio", name="All 6").check()
    page.locator("#kind").select_option("which")
    page.locator("#sort").select_option("text")
    page.locator("#text").fill("ravens")
    wait_for_address(page, "#?text=ravens&kind=which&sort=text")
    assert listed(page) == ["count"]
    assert page.get_by_role("status").inner_text() == "1 of 6 questions"
    page.reload()
    page.locator("h1").wait_for()
    assert page.locator("#text").input_value() == "ravens"
    assert listed(page) == ["count"]


def test_only_the_data_of_the_opened_page_is_loaded(visit: Open, site: Path) -> None:
    window = visit(site)
    page = window.open()
    assert window.loaded == FIRST_PAGE
    page.get_by_role("link", name="What do crows bring?").click()
    page.locator(".observation pre").wait_for()
    assert window.loaded == [*FIRST_PAGE, "episodes/000000-0.js"]
    page.get_by_role("button", name="Show it in the page").first.click()
    page.locator(".page mark").first.wait_for()
    assert len(window.loaded) == len(FIRST_PAGE) + 2
    assert window.loaded[-1].startswith("pages/")
    page.keyboard.press("u")
    page.get_by_role("link", name="What do crows bring?").click()
    page.locator(".observation pre").wait_for()
    assert len(window.loaded) == len(FIRST_PAGE) + 2


def test_an_observation_is_what_the_policy_saw(visit: Open, site: Path, benchmark_folder: Path) -> None:
    from playwright.sync_api import expect

    page = visit(site).open("crows/careful/1")
    episodes = read_records(benchmark_folder / "episodes" / "careful.jsonl", Episode)
    episode = next(episode for episode in episodes if episode.question.id == "crows")
    for number, step in enumerate(episode.steps, start=1):
        expect(page.locator(".observation h3")).to_have_text(f"Step {number} of {len(episode.steps)}")
        shown = page.locator(".observation > pre").text_content()
        assert shown == step.observation + (step.command or step.completion)
        page.keyboard.press("j")
    assert page.locator(".steps .problem").inner_text() == episode.steps[2].problem


def test_sections_links_and_quotes_are_marked_in_an_observation(visit: Open, site: Path) -> None:
    page = visit(site).open("crows/careful/ref-1")
    page.locator("mark").first.wait_for()
    assert "♦Past actions" in page.locator(".observation .section").all_text_contents()
    assert page.locator(".observation mark.own").all_text_contents() == ["Crows bring gifts to people who feed them."]
    assert page.locator(".observation mark:not(.own)").all_text_contents() == ["remember faces"]
    assert page.locator(".steps [aria-current]").inner_text().startswith("4")


def test_a_reference_is_marked_in_its_page_where_it_was_quoted(visit: Open, site: Path) -> None:
    page = visit(site).open("crows/careful/1")
    page.get_by_role("button", name="Show it in the page").last.click()
    assert page.locator(".page mark.own").text_content() == "remember faces"
    assert page.locator(".page mark:not(.own)").text_content() == "Crows bring gifts to people who feed them."
    assert "<script>window.hacked = 1</script>" in page.locator(".page pre").inner_text()


def test_the_surroundings_of_a_reference_on_a_long_page_are_shown(visit: Open, site: Path) -> None:
    page = visit(site).open("ravens/careful/1")
    page.get_by_role("button", name="Show it in the page").click()
    assert page.locator(".page mark.own").text_content() == "Ravens count to seven."
    assert "the page has 1,080," in page.locator(".page .meta").inner_text()
    assert page.locator(".page mark.own").bounding_box()["y"] < page.locator(".page pre").bounding_box()["y"] + 400
    assert len(page.locator(".page pre").text_content()) < 50_000


@pytest.mark.parametrize("width", [400, 1600])
def test_a_citation_shows_its_quote_and_jumps_to_it(visit: Open, site: Path, width: int) -> None:
    page = visit(site, width).open("crows/careful/1")
    citation = page.get_by_role("link", name="Reference 2")
    card = page.get_by_role("tooltip")
    citation.hover()
    card.wait_for()
    assert "remember faces" in card.inner_text()
    box = card.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    card.hover()
    page.wait_for_timeout(250)
    assert card.is_visible()
    page.mouse.move(width - 1, 1)
    card.wait_for(state="hidden")
    citation.focus()
    card.wait_for()
    assert citation.get_attribute("aria-describedby") == "card"
    page.keyboard.press("Escape")
    assert card.is_hidden()
    citation.click()
    wait_for_address(page, "#crows/careful/ref-2")
    assert "remember faces" in focused(page)
    assert page.locator(".reference.chosen blockquote").inner_text() == "remember faces"


def test_doubtful_sentences_and_invalid_citations_are_marked(visit: Open, site: Path) -> None:
    page = visit(site).open("crows/careful/1")
    assert page.locator(".answer .weak").all_inner_texts() == ["Nobody knows why. [1, 7]"]
    assert page.locator(".answer .unknown").all_inner_texts() == ["7"]


def test_an_unsupported_answer_is_labeled(visit: Open, site: Path) -> None:
    page = visit(site).open(f"crows/{quote(policies(site)[1], safe='')}/1")
    page.locator(".answer").wait_for()
    assert page.locator(".pane-head .flag").inner_text() == "unsupported"
    assert page.locator(".notice.unsupported").inner_text().startswith("Unsupported. No sentence cites a reference.")
    assert page.locator(".answer .uncited").count() == 1


def test_a_failure_and_an_unknown_policy_are_shown(visit: Open, site: Path) -> None:
    page = visit(site).open(place("failed", site))
    page.locator(".notice.failed").wait_for()
    assert "the server is gone </script>" in page.locator(".notice.failed").inner_text()
    assert page.locator(".pane-head .verdict").inner_text() == "! failed"


def test_two_policies_are_shown_side_by_side_and_stepped_separately(visit: Open, site: Path) -> None:
    page = visit(site).open("crows/careful/4")
    page.locator(".observation pre").wait_for()
    page.keyboard.press("c")
    page.locator(".pane").nth(1).locator(".observation > pre").wait_for()
    left, right = page.locator(".pane").all()
    assert left.bounding_box()["y"] == right.bounding_box()["y"]
    assert left.locator("[aria-current]").inner_text().startswith("4")
    right.locator(".steps a").nth(1).click()
    wait_for_address(page, "/2")
    page.keyboard.press("j")
    wait_for_address(page, "/3")
    assert left.locator("[aria-current]").inner_text().startswith("4")
    assert right.locator("[aria-current]").inner_text().startswith("3")
    left.locator(".steps a").nth(5).click()
    page.wait_for_url(lambda url: "#crows/careful/6/" in url)
    assert right.locator("[aria-current]").inner_text().startswith("3")
    page.keyboard.press("c")
    wait_for_address(page, "#crows/careful/6")


def test_every_view_can_be_reached_by_keyboard(visit: Open, site: Path) -> None:
    page = visit(site).open()
    page.keyboard.press("j")
    assert focused(page) == "What do crows bring?"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert focused(page) == "How far do ravens count?"
    page.keyboard.press("Enter")
    page.locator(".observation pre").wait_for()
    page.keyboard.press("ArrowRight")
    wait_for_address(page, "#ravens/careful/2")
    page.keyboard.press("ArrowLeft")
    wait_for_address(page, "#ravens/careful/1")
    page.keyboard.press("n")
    wait_for_address(page, "#trick/careful/1")
    page.keyboard.press("p")
    wait_for_address(page, "#ravens/careful/1")
    page.evaluate("for (const key of 'np') document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))")
    wait_for_address(page, "#ravens/careful/1")  # the browser had no time to report the URL in between
    page.keyboard.press("u")
    page.locator("[data-question]:focus").wait_for()
    assert focused(page) == "How far do ravens count?"
    page.keyboard.press("/")
    page.locator("#text:focus").wait_for()
    page.keyboard.type("j?k")
    assert page.locator("#text").input_value() == "j?k"
    assert page.locator("dialog").is_hidden()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("Enter")
    page.locator("dialog").wait_for(state="hidden")


@pytest.mark.parametrize("name", ["list", "episode", "side by side"])
def test_tab_reaches_every_control_and_shows_the_focus(visit: Open, site: Path, name: str) -> None:
    page = visit(site).open(place(name, site))
    page.wait_for_timeout(200)
    wanted = page.evaluate(
        """() => [...document.querySelectorAll("a[href], button, input, select, summary, pre[tabindex]")]
            .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !(e.type === "radio" && !e.checked)).length"""
    )
    page.evaluate("document.activeElement.blur()")
    page.evaluate("document.querySelector('.skip').focus()")
    seen = 1
    while seen <= wanted + 1:
        page.keyboard.press("Tab")
        where = page.evaluate(
            """() => { const e = document.activeElement; const style = getComputedStyle(e.matches(".chip input") ? e.nextSibling
                : e); return e === document.body ? null : [style.outlineStyle, style.outlineWidth]; }"""
        )
        if where is None:
            break
        assert where == ["solid", "2px"]
        seen += 1
    assert seen == wanted


def test_web_addresses_are_links_and_others_are_text(visit: Open, site: Path) -> None:
    page = visit(site).open("crows/careful/1")
    link = page.locator(".reference .title a").first
    link.wait_for()
    assert link.get_attribute("href") == "https://birds.example/crows"
    assert link.get_attribute("rel") == "noreferrer noopener"
    page = visit(site).open("trick/careful/1")
    page.locator(".reference").wait_for()
    assert page.locator(".reference .title a").count() == 0
    assert "javascript:window.hacked=1" in page.locator(".reference").inner_text()
    assert page.evaluate("[...document.querySelectorAll('a')].every((a) => /^(#|https?:|file:)/.test(a.getAttribute('href')))")


def test_no_text_becomes_markup(visit: Open, site: Path) -> None:
    page = visit(site).open(place("odd names", site))
    page.locator(".observation pre").first.wait_for()
    assert page.locator("h1").text_content().startswith("Is </script><script>window.hacked = 1</script>")
    assert "<img src=x" in page.locator(".answer").text_content()
    assert page.locator("main img, main script").count() == 0
    assert page.evaluate("window.hacked") is None


REFUSED = {
    "script": "() => { const s = document.createElement('script'); s.text = 'window.hacked = 1'; document.body.append(s); }",
    "markup": "() => { document.body.innerHTML = '<img src=x onerror=window.hacked=1>'; }",
}


@pytest.mark.parametrize("attempt", REFUSED.values(), ids=REFUSED.keys())
def test_the_page_refuses_code_that_is_not_its_own(browser: Any, site: Path, attempt: str) -> None:
    with browser.new_context(offline=True) as context:
        page = context.new_page()
        page.goto((site / "index.html").as_uri())
        page.locator("h1").wait_for()
        try:
            page.evaluate(attempt)
        except Exception as error:  # noqa: BLE001 - the refusal, in whatever words
            assert "TrustedHTML" in str(error) or "TrustedScript" in str(error)
        page.wait_for_timeout(50)
        assert page.evaluate("window.hacked") is None


def test_a_missing_episode_is_reported_and_the_rest_works(browser: Any, site: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    write_site(read_material(site.parent), copy)
    (copy / "episodes" / "000000-0.js").unlink()
    with browser.new_context(offline=True) as context:
        page = context.new_page()
        page.goto(f"{(copy / 'index.html').as_uri()}#crows/careful/1")
        page.get_by_role("alert").wait_for()
        assert page.get_by_role("alert").inner_text() == "episodes/000000-0.js is not in this folder or cannot be read."
        page.keyboard.press("n")
        page.locator(".observation pre").wait_for()


def test_a_file_of_episodes_is_shown_without_a_benchmark(visit: Open, benchmark_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "episodes.jsonl"
    file.write_bytes((benchmark_folder / "episodes" / "careful.jsonl").read_bytes() * 2)
    page = visit(write_site(read_material(file), tmp_path / "view").parent).open()
    assert page.locator("thead th").all_inner_texts()[-2:] == ["careful", "careful (2)"]
    assert page.locator("svg").count() == 0
    page = visit(tmp_path / "view").open("crows/careful/ref-1")
    page.locator(".observation mark").first.wait_for()
    assert page.get_by_role("button", name="Show it in the page").count() == 0


def test_any_two_of_three_policies_can_be_shown_side_by_side(visit: Open, benchmark_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "episodes.jsonl"
    careful, hasty = sorted((benchmark_folder / "episodes").iterdir())
    file.write_bytes(careful.read_bytes() * 2 + hasty.read_bytes())
    page = visit(write_site(read_material(file), tmp_path / "view").parent).open("crows/careful/4/careful%20(2)/2")
    page.locator(".pane").nth(1).locator(".observation > pre").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 1600
    chosen = page.get_by_role("combobox", name="Policy").nth(1)
    chosen.select_option(index=2)
    page.locator(".pane").nth(1).locator(".notice.unsupported").wait_for()
    assert page.locator(".pane").nth(0).locator("[aria-current]").inner_text().startswith("4")


def test_five_hundred_questions_stay_small_and_quick_to_filter(visit: Open, benchmark_folder: Path, tmp_path: Path) -> None:
    material = many(benchmark_folder, tmp_path, 500)
    site = write_site(material, tmp_path / "view").parent
    assert sum((site / name).stat().st_size for name in FIRST_PAGE) < MAX_BYTES
    assert max(file.stat().st_size for file in site.rglob("*.js")) < MAX_BYTES
    window = visit(site)
    page = window.open()
    assert len(listed(page)) == 500
    assert window.loaded == FIRST_PAGE
    page.locator("#text").fill("number 499")
    page.locator("[data-question]").nth(1).wait_for(state="detached")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.locator(".observation pre").wait_for()
    assert window.loaded == [*FIRST_PAGE, "episodes/000499-0.js"]


def many(folder: Path, to: Path, number: int) -> Material:
    """Material of a benchmark whose first question has many episodes of each policy."""
    material = read_material(folder)
    files: list[tuple[str | None, Path]] = []
    first = material.questions[0]
    questions = tuple(replace(first, id=f"{first.id}-{index}", text=f"{first.text} Number {index}") for index in range(number))
    for place, (name, file) in enumerate(material.files):
        episode = next(iter(read_records(file, Episode)))
        files.append((name, to / f"{place}.jsonl"))
        for question in questions:
            append_record(to / f"{place}.jsonl", replace(episode, question=question))
    results = {
        (question.id, policy): result
        for (asked, policy), result in material.results.items()
        for question in questions
        if asked == first.id
    }
    return replace(material, questions=questions, files=tuple(files), results=results)
