"""Pages to look at: a benchmark, or any file of episodes, as one folder of static HTML.

`material` reads what there is, `episodes` says what a page shows of an episode, `site` writes the folder. The pages need no
server and no network; what models and web pages wrote reaches them as data and is shown as text alone.
"""
