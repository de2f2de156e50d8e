"""The whole daemon in virtual time: people who work, four emulated services, a network with faults, and an oracle.

    desks.py      a service as people sit at it: what they can do there, what colleagues see, what may be right there
    meanings.py   what a word becomes in each service, written out from the mapping once more
    cables.py     the daemon's end of the network, over production's carrier or httpcore, which a kill unplugs; and the
                  log of what came over it
    stores.py     a store that loses what it had not acknowledged
    people.py     what people do all day
    faults.py     what goes wrong, for how long
    world.py      everything together, under one clock
    episodes.py   a day as episodes: trouble, calm, a last word, silence
    trials.py     what seldom happens by chance, asked of everybody at the end of an episode
    invariants.py what must hold, judged from what people did and what services show
    sabotage.py   bugs put in on purpose, to see that they are found
    replay.py     one seed from its parameters to its outcome

`python -m tests.simulation --help` runs seeds. One seed is one trace, in every process.
"""
