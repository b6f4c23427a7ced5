"""The pretend store and the pretend network, tried over real HTTP."""
