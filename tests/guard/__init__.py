"""What an event, a job and a read cost in CPU, held against what they cost when it was last written down."""
