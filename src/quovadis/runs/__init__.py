"""Many videos: workers, the record of what is done, resuming. The only loop over videos that there is."""
