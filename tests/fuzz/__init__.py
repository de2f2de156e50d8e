"""Every reader of what comes from outside, given anything: it raises errors of our tree or none, and always ends.

`test_fuzz.py` does it by hypothesis; `python -m tests.fuzz` by atheris, guided by coverage, where that is installed
(`pip install atheris`; it has wheels for some Pythons only). `test_found.py` keeps what either found.
"""
