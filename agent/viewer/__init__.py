"""Static HTML pages of a benchmark or of a file of episodes.

`material` reads the files, `episodes` derives what a page shows of an episode, and `site` writes the pages. The pages need no
server and no network. Text of models and web pages reaches them as data and is shown as plain text.
"""
