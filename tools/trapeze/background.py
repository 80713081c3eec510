"""Something that runs beside the program: another boot."""

import threading


class Background:
    """A call in a thread of its own. The program may end before it: its emulator ends then, too."""

    def __init__(self, function, *arguments):
        self.value = self.error = None
        self.thread = threading.Thread(target=self.work, args=(function, arguments), daemon=True)
        self.thread.start()

    def work(self, function, arguments):
        """In the thread."""
        try:
            self.value = function(*arguments)
        except Exception as error:  # raised again in result()
            self.error = error

    def result(self):
        """What it returned or raised."""
        self.thread.join()
        if self.error:
            raise self.error
        return self.value
