"""What runs: transport, budget, boards, account tasks, feeds, supervisor."""
