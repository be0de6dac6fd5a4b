"""Which plugins there are, which hooks they implement, and what they register."""
