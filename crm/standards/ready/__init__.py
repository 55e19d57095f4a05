"""Standards that come with the product, in three languages; a start to be made one's own."""

from crm.standards.content import Content
from crm.standards.ready.complaint import COMPLAINT
from crm.standards.ready.new_customer import NEW_CUSTOMER
from crm.standards.ready.wants_to_leave import WANTS_TO_LEAVE

READY: dict[str, Content] = {
    "new-customer": NEW_CUSTOMER,
    "complaint": COMPLAINT,
    "wants-to-leave": WANTS_TO_LEAVE,
}
