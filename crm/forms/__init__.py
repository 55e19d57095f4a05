"""Forms of the crm pages."""

from crm.forms.catalogue import LocationForm, ProductForm
from crm.forms.customers import ConsentForm, CustomerForm, NewCustomerForm
from crm.forms.filters import CustomerFilterForm, OrderFilterForm, ProductFilterForm
from crm.forms.orders import LineFormSet, PurchaseForm, StatusForm

__all__ = [
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
