"""A table over one page of a list that is too long to be shown at once."""

from textual.message import Message

from tui.widgets.table import RecordTable


class PagedTable(RecordTable):
    """A list that may be long: with `in_pages` a page of it is shown, and what goes beyond its ends goes to another."""

    in_pages = False

    class Ends(Message):
        """The very first or the very last row of all is wanted."""

        def __init__(self, table: "PagedTable", last: bool) -> None:
            super().__init__()
            self.table = table
            self.last = last

        @property
        def control(self) -> "PagedTable":
            """The table."""
            return self.table

    def action_page_down(self) -> None:
        """A screen further; from the last row to the next page."""
        if self.in_pages and self.cursor_row >= self.row_count - 1:
            self.post_message(self.Left(self, down=True))
        else:
            super().action_page_down()

    def action_page_up(self) -> None:
        """A screen back; from the first row to the page before."""
        if self.in_pages and self.cursor_row <= 0:
            self.post_message(self.Left(self, down=False))
        else:
            super().action_page_up()

    def action_scroll_top(self) -> None:
        """The first row of all."""
        if self.in_pages:
            self.post_message(self.Ends(self, last=False))
        else:
            super().action_scroll_top()

    def action_scroll_bottom(self) -> None:
        """The last row of all."""
        if self.in_pages:
            self.post_message(self.Ends(self, last=True))
        else:
            super().action_scroll_bottom()
