"""The Faust side: events in, histories kept, jobs out."""
