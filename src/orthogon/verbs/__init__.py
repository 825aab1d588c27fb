"""train, evaluate, predict, show, check, …: the floors below, composed. The command line and Python share them."""
