"""What tests of several folders share: stand-ins for the network, and makers of videos, files and servers."""
