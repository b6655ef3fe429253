"""What the program is to the desktop. Knows none of the floors."""
