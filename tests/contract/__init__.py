"""What every kind of the catalog owes its clients, whichever kind it is."""
