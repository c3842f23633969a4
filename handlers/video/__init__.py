"""Reading video safely, once, and measuring it. Imports the video extra: import it inside handlers only."""
