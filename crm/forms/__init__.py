"""Forms of the crm pages."""

from crm.forms.bulk import BulkForm
from crm.forms.catalogue import LocationForm, ProductForm
from crm.forms.customer_filters import CustomerFilterForm
from crm.forms.customers import CustomerForm, NewCustomerForm
from crm.forms.filters import OrderFilterForm, ProductFilterForm
from crm.forms.orders import LineFormSet, PurchaseForm, StatusForm
from crm.forms.privacy import ConsentForm

__all__ = [
    "BulkForm",
    "ConsentForm",
    "CustomerFilterForm",
    "CustomerForm",
    "LineFormSet",
    "LocationForm",
    "NewCustomerForm",
    "OrderFilterForm",
    "ProductFilterForm",
    "ProductForm",
    "PurchaseForm",
    "StatusForm",
]
