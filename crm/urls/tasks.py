"""Tasks, and what a customer's page shows of them."""

from django.urls import path

from crm.views import customer_tasks, tasks

urlpatterns = [
    path("tasks/", tasks.task_list, name="task_list"),
    path("tasks/new/", tasks.task_new, name="task_new"),
    path("tasks/next/", tasks.task_next, name="task_next"),
    path("tasks/<slug:ref>/", tasks.task_detail, name="task"),
    path("tasks/<slug:ref>/edit/", tasks.task_edit, name="task_edit"),
    path("tasks/<slug:ref>/finish/", tasks.task_finish, name="task_finish"),
    path("tasks/<slug:ref>/reopen/", tasks.task_reopen, name="task_reopen"),
    path("tasks/<slug:ref>/take/", tasks.task_take, name="task_take"),
    path("tasks/<slug:ref>/due/", tasks.task_move, name="task_move"),
    path("customers/<slug:ref>/tasks/", customer_tasks.customer_tasks, name="customer_tasks"),
    path("customers/<slug:ref>/cadence/", customer_tasks.customer_cadence, name="customer_cadence"),
]
