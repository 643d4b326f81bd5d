"""The tester tested: how often the judge says a wrong word, measured on laws whose truth is known.

    python -m corollary.verdicts.calibration --write docs/verdicts.md

`laws` what is drawn; `harness` the judge on thousands of streams at once; `rows` and `routes` what is measured;
`mutants` wrong judges that the measurement must refuse; `table` the result as JSON and Markdown.
"""
