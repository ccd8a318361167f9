# The names of posix.py have the types that they have in os.
from os import *
from os import _exit as _exit
from os import environ as environ
from os import fsdecode as fsdecode
from os import fsencode as fsencode
from os import path as path
