"""The console at /console: server-rendered, works without JavaScript, live with it."""
